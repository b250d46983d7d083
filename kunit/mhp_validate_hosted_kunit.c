// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the validator: memory that hosts its own memmap.
 */

#include <linux/mm.h>
#include <linux/page-flags.h>

#include "mhp_planted.h"
#include "self_hosted.h"

/* Looks while the struct page of @pfn is marked, or is not. */
static void look_with_mark(struct kunit *test, unsigned long pfn, bool marked)
{
	struct page *page = pfn_to_page(pfn);
	struct page saved = *page;

	if (marked)
		__SetPageVmemmap(page);
	else
		__ClearPageVmemmap(page);
	planted_look(test);
	*page = saved;
}

static void vmemmap_marks_lost_while_offline(struct kunit *test)
{
	struct fake_range range = self_hosted_add(test, 1);
	unsigned long nr = self_hosted_vmemmap_pages(test);

	planted_look(test);
	planted_expect_nothing(test);
	look_with_mark(test, range.pfn + nr - 1, false);
	planted_expect(test, "vmemmap_marks");
}

static void vmemmap_marks_lost_while_online(struct kunit *test)
{
	struct fake_range range = self_hosted_online(test, 2, MMOP_ONLINE);

	planted_look(test);
	planted_expect_nothing(test);
	look_with_mark(test, range.pfn, false);
	planted_expect(test, "vmemmap_marks", "zone_managed");
}

/* A page too many: the page allocator has it as well. */
static void vmemmap_marks_beyond_the_memmap(struct kunit *test)
{
	struct fake_range range = self_hosted_online(test, 1, MMOP_ONLINE_MOVABLE);
	unsigned long pfn = range.pfn + self_hosted_vmemmap_pages(test);

	look_with_mark(test, pfn, true);
	planted_expect(test, "vmemmap_marks");
}

static void vmemmap_marks_of_memory_that_hosts_nothing(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	self_hosted_mode(test);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	look_with_mark(test, range.pfn, true);
	planted_expect(test, "vmemmap_marks");
}

static struct kunit_case validate_hosted_cases[] = {
	KUNIT_CASE(vmemmap_marks_lost_while_offline),
	KUNIT_CASE(vmemmap_marks_lost_while_online),
	KUNIT_CASE(vmemmap_marks_beyond_the_memmap),
	KUNIT_CASE(vmemmap_marks_of_memory_that_hosts_nothing),
	{}
};

static struct kunit_suite validate_hosted_suite = {
	.name = "mhp_validate_hosted",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = validate_hosted_cases,
};

kunit_test_suite(validate_hosted_suite);

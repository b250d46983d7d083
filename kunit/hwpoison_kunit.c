// SPDX-License-Identifier: GPL-2.0
/*
 * Memory blocks with pages that are known to be broken, PageHWPoison(): they go
 * offline and away like others, but not online again.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "blocks.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "self_hosted.h"

#ifdef CONFIG_MEMORY_FAILURE

static long nr_poisoned(void)
{
	return atomic_long_read(&num_poisoned_pages);
}

/* As if a test had injected it, so that it can be taken back. */
static int poison(struct kunit *test, unsigned long pfn)
{
	int err = memory_failure(pfn, MF_SW_SIMULATED);

	mhp_validate(test, "memory_failure");
	return err;
}

static struct fake_range online(struct kunit *test, int online_type)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, online_type), 0);
	return range;
}

/* It is offline; nothing of it is lost, and only a new memmap helps. */
static void expect_unusable(struct kunit *test, struct fake_range range, mhp_t flags,
			    long poisoned)
{
	KUNIT_EXPECT_EQ(test, nr_poisoned(), poisoned + 1);
	KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), -EHWPOISON);
	blocks_expect_state(test, range, MEM_OFFLINE);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	KUNIT_EXPECT_EQ(test, nr_poisoned(), poisoned);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, flags), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
}

static const int online_types[] = { MMOP_ONLINE_KERNEL, MMOP_ONLINE_MOVABLE };

static void describe(const int *type, char *desc)
{
	strscpy(desc, *type == MMOP_ONLINE_KERNEL ? "ZONE_NORMAL" : "ZONE_MOVABLE",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(online_types, online_types, describe);

/*
 *	| free  P  free |	P: taken from the page allocator, but managed
 */
static void offline_passes_over_poisoned_page(struct kunit *test)
{
	const int *type = test->param_value;
	struct mhp_state before, after;
	long poisoned = nr_poisoned();
	struct fake_range range;
	unsigned long pfn;

	range = fake_range(test, 1);
	pfn = range.pfn + range.nr_pages / 2 + 1;
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	mhp_state_take(&before);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, *type), 0);
	KUNIT_ASSERT_EQ(test, poison(test, pfn), 0);
	KUNIT_EXPECT_TRUE(test, PageHWPoison(pfn_to_page(pfn)));
	KUNIT_EXPECT_FALSE(test, is_free_buddy_page(pfn_to_page(pfn)));

	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
	expect_unusable(test, range, MHP_NONE, poisoned);
}

static void online_after_unpoison_succeeds(struct kunit *test)
{
	struct fake_range range = online(test, MMOP_ONLINE_MOVABLE);
	long poisoned = nr_poisoned();

	KUNIT_ASSERT_EQ(test, poison(test, range.pfn), 0);
	KUNIT_ASSERT_EQ(test, unpoison_memory(range.pfn), 0);
	mhp_validate(test, "unpoison_memory");
	KUNIT_EXPECT_TRUE(test, is_free_buddy_page(pfn_to_page(range.pfn)));
	KUNIT_EXPECT_EQ(test, nr_poisoned(), poisoned);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
}

static void soft_offline_takes_free_page(struct kunit *test)
{
	struct fake_range range = online(test, MMOP_ONLINE_MOVABLE);
	long poisoned = nr_poisoned();

	KUNIT_ASSERT_EQ(test, soft_offline_page(range.pfn, 0), 0);
	mhp_validate(test, "soft_offline_page");
	KUNIT_EXPECT_TRUE(test, PageHWPoison(pfn_to_page(range.pfn)));
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	expect_unusable(test, range, MHP_NONE, poisoned);
}

/* Nobody uses it, and its memmap is not to be believed. */
static void memory_failure_of_offline_memory_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	long poisoned = nr_poisoned();

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_EQ(test, poison(test, range.pfn), -ENXIO);
	KUNIT_EXPECT_EQ(test, soft_offline_page(range.pfn, 0), -EIO);
	KUNIT_EXPECT_EQ(test, nr_poisoned(), poisoned);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
}

/*
 *	| VPVV  free |
 *
 * There is nothing to be done about it but to remember it.
 */
static void memory_failure_of_vmemmap_page_is_ignored(struct kunit *test)
{
	struct fake_range range = self_hosted_add(test, 1);
	struct mhp_state before, after;
	long poisoned = nr_poisoned();

	mhp_state_take(&before);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	KUNIT_EXPECT_EQ(test, poison(test, range.pfn + 1), -EBUSY);
	KUNIT_EXPECT_TRUE(test, PageHWPoison(pfn_to_page(range.pfn + 1)));
	self_hosted_expect(test, range);
	KUNIT_EXPECT_EQ(test, unpoison_memory(range.pfn + 1), -EBUSY);

	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
	expect_unusable(test, range, SELF_HOSTED, poisoned);
	self_hosted_expect(test, range);
	KUNIT_EXPECT_FALSE(test, PageHWPoison(pfn_to_page(range.pfn + 1)));
}

static void soft_offline_leaves_vmemmap_page(struct kunit *test)
{
	struct fake_range range = self_hosted_online(test, 1, MMOP_ONLINE_MOVABLE);
	long poisoned = nr_poisoned();

	KUNIT_EXPECT_NE(test, soft_offline_page(range.pfn, 0), 0);
	mhp_validate(test, "soft_offline_page");
	KUNIT_EXPECT_FALSE(test, PageHWPoison(pfn_to_page(range.pfn)));
	KUNIT_EXPECT_EQ(test, nr_poisoned(), poisoned);
	self_hosted_expect(test, range);
}

static struct kunit_case hwpoison_cases[] = {
	KUNIT_CASE_PARAM(offline_passes_over_poisoned_page, online_types_gen_params),
	KUNIT_CASE(online_after_unpoison_succeeds),
	KUNIT_CASE(soft_offline_takes_free_page),
	KUNIT_CASE(memory_failure_of_offline_memory_is_refused),
	KUNIT_CASE(memory_failure_of_vmemmap_page_is_ignored),
	KUNIT_CASE(soft_offline_leaves_vmemmap_page),
	{}
};

static struct kunit_suite hwpoison_suite = {
	.name = "mhp_hwpoison",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = hwpoison_cases,
};

kunit_test_suite(hwpoison_suite);

#endif /* CONFIG_MEMORY_FAILURE */

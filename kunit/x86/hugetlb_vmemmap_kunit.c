// SPDX-License-Identifier: GPL-2.0
/*
 * HugeTLB's vmemmap optimization (HVO) gives the pages back that hold struct
 * pages of tail pages.  It leaves memmap alone that is in its own section:
 *
 *	| VVVV | huge pages ... |	as many struct pages as ever
 *	| huge pages .......... |	those of a folio are in one page
 *
 * The second section is there to show that the optimization is at work.
 */

#include <linux/hugetlb.h>
#include <linux/log2.h>
#include <linux/mm.h>

#include "fake_section.h"
#include "mhp_validate.h"
#include "parameter.h"
#include "self_hosted.h"
#include "sysfs.h"

#define POOL	"kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static void need_hvo(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP))
		kunit_skip(test, "CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP is not set");
	if (!is_power_of_2(sizeof(struct page)))
		kunit_skip(test, "the memmap of struct pages of %zu bytes is never optimized",
			   sizeof(struct page));
	if (!sysfs_exists(test, POOL))
		kunit_skip(test, "this CPU has no huge pages of 2 MiB");
	parameter_set(test, "hugetlb_free_vmemmap", "on");
}

static void empty_pool(void *arg)
{
	struct kunit *test = arg;

	KUNIT_EXPECT_EQ(test, sysfs_write(test, "0", POOL), 0);
}

/* As many huge pages, from ZONE_MOVABLE as long as it has any. */
static void fill_pool(struct kunit *test, unsigned long nr)
{
	char text[16];

	KUNIT_ASSERT_STREQ(test, sysfs_read(test, POOL), "0");
	fake_add_action(test, empty_pool, test);
	snprintf(text, sizeof(text), "%lu", nr);
	KUNIT_ASSERT_EQ(test, sysfs_write(test, text, POOL), 0);
	KUNIT_ASSERT_STREQ(test, sysfs_read(test, POOL), text);
}

/* The pages that the struct pages of [@pfn, @pfn + @nr_pages) are in */
static unsigned long nr_memmap_pages(struct kunit *test, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, backing, last = -1, count = 0;

	for (; pfn < end; pfn += PAGE_SIZE / sizeof(struct page)) {
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &backing));
		count += backing != last;
		last = backing;
	}
	return count;
}

/* Expects that of all huge pages of a range; there is one at least. */
static void expect_optimized(struct kunit *test, struct fake_range range, bool optimized)
{
	unsigned long pfn, count = 0;

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += pageblock_nr_pages) {
		struct folio *folio = page_folio(pfn_to_page(pfn));

		if (!folio_test_hugetlb(folio))
			continue;
		count++;
		KUNIT_ASSERT_EQ(test, folio_pfn(folio), pfn);
		KUNIT_EXPECT_EQ_MSG(test, folio_test_hugetlb_vmemmap_optimized(folio), optimized,
				    "huge page %#lx", pfn);
		KUNIT_EXPECT_EQ_MSG(test, nr_memmap_pages(test, pfn, folio_nr_pages(folio)),
				    optimized ? 1 : folio_nr_pages(folio) * sizeof(struct page) / PAGE_SIZE,
				    "huge page %#lx", pfn);
	}
	KUNIT_EXPECT_GT_MSG(test, count, 0, "no huge page in pfn %#lx-%#lx", range.pfn,
			    range.pfn + range.nr_pages - 1);
}

static struct fake_range plain_online(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	fake_skip_without_series(test, "struct pages of tail pages come back as those of the head");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	return range;
}

/* More huge pages than either range has room for: some are in each. */
static void optimization_leaves_self_hosted_memmap(struct kunit *test)
{
	struct fake_range hosted, plain;
	struct mhp_state before, after;

	need_hvo(test);
	hosted = self_hosted_online(test, 1, MMOP_ONLINE_MOVABLE);
	plain = plain_online(test);
	mhp_state_take(&before);

	fill_pool(test, plain.nr_pages / pageblock_nr_pages + 8);
	expect_optimized(test, plain, true);
	expect_optimized(test, hosted, false);
	self_hosted_expect(test, hosted);

	fake_release_action(test, empty_pool, test);
	mhp_validate(test, "the huge pages are given back");
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
	self_hosted_expect(test, hosted);
	KUNIT_ASSERT_EQ(test, fake_offline(test, hosted), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, hosted), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, plain), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, plain), 0);
}

/* Free huge pages are dissolved, and their struct pages are where they were. */
static void offline_dissolves_self_hosted_huge_pages(struct kunit *test)
{
	struct fake_range hosted;

	need_hvo(test);
	hosted = self_hosted_online(test, 1, MMOP_ONLINE_MOVABLE);
	fill_pool(test, 8);
	expect_optimized(test, hosted, false);
	KUNIT_ASSERT_EQ(test, fake_offline(test, hosted), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, POOL), "0");
	self_hosted_expect(test, hosted);
	KUNIT_ASSERT_EQ(test, fake_remove(test, hosted), 0);
}

/* Where the memmap is elsewhere, it is whole again before it is freed. */
static void offline_restores_optimized_memmap(struct kunit *test)
{
	struct fake_range plain;

	need_hvo(test);
	plain = plain_online(test);
	fill_pool(test, 8);
	expect_optimized(test, plain, true);
	KUNIT_ASSERT_EQ(test, fake_offline(test, plain), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, POOL), "0");
	KUNIT_ASSERT_EQ(test, fake_remove(test, plain), 0);
}

static struct kunit_case hugetlb_vmemmap_cases[] = {
	KUNIT_CASE(optimization_leaves_self_hosted_memmap),
	KUNIT_CASE(offline_dissolves_self_hosted_huge_pages),
	KUNIT_CASE(offline_restores_optimized_memmap),
	{}
};

static struct kunit_suite hugetlb_vmemmap_suite = {
	.name = "mhp_x86_hugetlb_vmemmap",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = hugetlb_vmemmap_cases,
};

kunit_test_suite(hugetlb_vmemmap_suite);

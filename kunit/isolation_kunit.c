// SPDX-License-Identifier: GPL-2.0
/*
 * Isolation of pageblocks, which offlining and alloc_contig_range() go through.
 */

#include <linux/mm.h>
#include <linux/page-isolation.h>

#include "fake_section.h"
#include "mhp_validate.h"

static void online(struct kunit *test, struct fake_range range)
{
	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages, ZONE_MOVABLE), 0);
}

static void expect_type(struct kunit *test, struct fake_range range, bool isolated)
{
	KUNIT_EXPECT_EQ(test, is_migrate_isolate_page(pfn_to_page(range.pfn)), isolated);
	KUNIT_EXPECT_EQ(test, is_migrate_isolate_page(pfn_to_page(range.pfn + range.nr_pages - 1)),
			isolated);
}

/*
 *	| online | nothing | online |
 */
static void isolation_passes_over_hole(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range first = fake_block(test, range, 0), last = fake_block(test, range, 2);
	unsigned long end = range.pfn + range.nr_pages;

	online(test, first);
	online(test, last);
	KUNIT_ASSERT_EQ(test, start_isolate_page_range(range.pfn, end, MIGRATE_MOVABLE, 0,
						       GFP_KERNEL), 0);
	expect_type(test, first, true);
	expect_type(test, last, true);
	undo_isolate_page_range(range.pfn, end, MIGRATE_MOVABLE);
	expect_type(test, first, false);
	expect_type(test, last, false);
	mhp_validate(test, "undo_isolate_page_range");
}

/* Free is not enough. */
static void free_pages_that_are_not_isolated_are_busy(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long end = range.pfn + range.nr_pages;

	online(test, range);
	KUNIT_EXPECT_EQ(test, test_pages_isolated(range.pfn, end, 0), -EBUSY);
	KUNIT_ASSERT_EQ(test, start_isolate_page_range(range.pfn, end, MIGRATE_MOVABLE, 0,
						       GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, test_pages_isolated(range.pfn, end, 0), 0);
	undo_isolate_page_range(range.pfn, end, MIGRATE_MOVABLE);
	mhp_validate(test, "undo_isolate_page_range");
}

static struct kunit_case isolation_cases[] = {
	KUNIT_CASE(isolation_passes_over_hole),
	KUNIT_CASE(free_pages_that_are_not_isolated_are_busy),
	{}
};

static struct kunit_suite isolation_suite = {
	.name = "mhp_isolation",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = isolation_cases,
};

kunit_test_suite(isolation_suite);

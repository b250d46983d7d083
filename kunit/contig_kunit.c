// SPDX-License-Identifier: GPL-2.0
/*
 * alloc_contig_range(): what hugetlb and CMA take from online memory goes
 * through the same isolation as offlining.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/swap.h>

#include "contents.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "reports.h"

struct contig {
	unsigned long pfn;
	unsigned long nr_pages;
};

static void free_contig(void *arg)
{
	struct contig *contig = arg;

	free_contig_range(contig->pfn, contig->nr_pages);
}

static struct contig *alloc_contig(struct kunit *test, unsigned long pfn, unsigned long nr_pages,
				   gfp_t gfp)
{
	struct contig *contig = kunit_kzalloc(test, sizeof(*contig), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, contig);
	contig->pfn = pfn;
	contig->nr_pages = nr_pages;
	lru_add_drain_all();
	err = alloc_contig_range(pfn, pfn + nr_pages, MIGRATE_MOVABLE, gfp);
	KUNIT_ASSERT_EQ_MSG(test, err, 0, "pfn %#lx-%#lx", pfn, pfn + nr_pages - 1);
	fake_add_action(test, free_contig, contig);
	mhp_validate(test, "alloc_contig_range");
	return contig;
}

static struct fake_range online(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	return range;
}

static void expect_compound(struct kunit *test, unsigned long pfn, unsigned int order)
{
	struct folio *folio = pfn_folio(pfn);

	KUNIT_EXPECT_EQ(test, folio_pfn(folio), pfn);
	KUNIT_EXPECT_EQ(test, folio_order(folio), order);
	KUNIT_EXPECT_EQ(test, folio_ref_count(folio), 1);
	KUNIT_EXPECT_PTR_EQ(test, page_folio(pfn_to_page(pfn + (1UL << order) - 1)), folio);
}

/*
 *	| m..m..m | pageblock |	-> elsewhere, and one folio
 */
static void compound_page_replaces_contents(struct kunit *test)
{
	struct fake_range range = online(test);
	struct contents *contents = contents_fill(test, range.pfn, 3, 16);
	struct contig *contig = alloc_contig(test, range.pfn, pageblock_nr_pages,
					     GFP_KERNEL | __GFP_COMP);

	expect_compound(test, range.pfn, pageblock_order);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, pageblock_nr_pages), 0);
	contents_expect_intact(test, contents);
	fake_release_action(test, free_contig, contig);
	mhp_validate(test, "free_contig_range");
	/* A page as large as a huge one may be in a per-CPU list. */
	drain_all_pages(NULL);
	KUNIT_EXPECT_TRUE(test, is_free_buddy_page(pfn_to_page(range.pfn)));
}

static void free_compound(void *page)
{
	__free_pages(page, compound_order(page));
}

/*
 *	| CCCCCCCC  pages |	C: compound, not to be moved
 *		    ^ from the middle of the pageblock
 */
static void pages_beside_compound_page_are_taken(struct kunit *test)
{
	struct fake_range range = online(test);
	struct page *page = alloc_pages(GFP_HIGHUSER_MOVABLE | __GFP_COMP, 3);
	unsigned long pfn, nr = min(24UL, pageblock_nr_pages - 16);

	KUNIT_ASSERT_NOT_NULL(test, page);
	fake_add_action(test, free_compound, page);
	pfn = page_to_pfn(page);
	KUNIT_ASSERT_LT_MSG(test, pfn - range.pfn, range.nr_pages, "not from ZONE_MOVABLE");
	KUNIT_ASSERT_LE(test, pfn % pageblock_nr_pages + 16 + nr, pageblock_nr_pages);

	alloc_contig(test, pfn + 16, nr, GFP_KERNEL);
	expect_compound(test, pfn, 3);
	KUNIT_EXPECT_EQ(test, page_count(pfn_to_page(pfn + 16)), 1);
	KUNIT_EXPECT_EQ(test, page_count(pfn_to_page(pfn + 15 + nr)), 1);
}

/* It would be freed in part. */
static void free_of_part_of_compound_page_is_refused(struct kunit *test)
{
	struct fake_range range = online(test);

	alloc_contig(test, range.pfn, pageblock_nr_pages, GFP_KERNEL | __GFP_COMP);
	reports_expect(test, "free_contig_range");
	free_contig_range(range.pfn, pageblock_nr_pages / 2);
	expect_compound(test, range.pfn, pageblock_order);
}

static void busy_page_is_refused(struct kunit *test)
{
	struct fake_range range = online(test);
	struct held *held = contents_hold(test, range.pfn + 5, 1);

	KUNIT_EXPECT_EQ(test, alloc_contig_range(range.pfn, range.pfn + 16, MIGRATE_MOVABLE,
						 GFP_KERNEL | __GFP_NOWARN), -EBUSY);
	mhp_validate(test, "alloc_contig_range");
	contents_release(test, held);
	alloc_contig(test, range.pfn, 16, GFP_KERNEL);
}

/* It can be moved, but for somebody who looks at it. */
static void pinned_page_is_refused(struct kunit *test)
{
	struct fake_range range = online(test);
	struct contents *contents = contents_fill(test, range.pfn, 3, 4);
	struct folio *folio = pfn_folio(range.pfn);

	folio_get(folio);
	lru_add_drain_all();
	KUNIT_EXPECT_EQ(test, alloc_contig_range(range.pfn, range.pfn + 16, MIGRATE_MOVABLE,
						 GFP_KERNEL | __GFP_NOWARN), -EBUSY);
	mhp_validate(test, "alloc_contig_range");
	folio_put(folio);
	contents_expect_intact(test, contents);
	alloc_contig(test, range.pfn, 16, GFP_KERNEL);
	contents_expect_intact(test, contents);
}

/* Somebody else is at work there, offlining it for one. */
static void isolated_pageblock_is_refused(struct kunit *test)
{
	struct fake_range range = online(test);
	unsigned long end = range.pfn + pageblock_nr_pages;

	KUNIT_ASSERT_EQ(test, start_isolate_page_range(range.pfn, end, MIGRATE_MOVABLE, 0,
						       GFP_KERNEL), 0);
	mhp_validate_expect_isolated(range.pfn, pageblock_nr_pages, true);
	KUNIT_EXPECT_EQ(test, alloc_contig_range(range.pfn, range.pfn + 16, MIGRATE_MOVABLE,
						 GFP_KERNEL | __GFP_NOWARN), -EBUSY);
	mhp_validate(test, "alloc_contig_range");
	undo_isolate_page_range(range.pfn, end, MIGRATE_MOVABLE);
	mhp_validate_expect_isolated(range.pfn, pageblock_nr_pages, false);
	alloc_contig(test, range.pfn, 16, GFP_KERNEL);
}

/* It may have to wait, and it may fail. */
static void request_that_must_not_fail_is_refused(struct kunit *test)
{
	struct fake_range range = online(test);

	KUNIT_EXPECT_EQ(test, alloc_contig_range(range.pfn, range.pfn + 1, MIGRATE_MOVABLE,
						 GFP_KERNEL | __GFP_NOFAIL), -EINVAL);
	mhp_validate(test, "alloc_contig_range");
}

static struct kunit_case contig_cases[] = {
	KUNIT_CASE(compound_page_replaces_contents),
	KUNIT_CASE(pages_beside_compound_page_are_taken),
	KUNIT_CASE(free_of_part_of_compound_page_is_refused),
	KUNIT_CASE(busy_page_is_refused),
	KUNIT_CASE(pinned_page_is_refused),
	KUNIT_CASE(isolated_pageblock_is_refused),
	KUNIT_CASE(request_that_must_not_fail_is_refused),
	{}
};

static struct kunit_suite contig_suite = {
	.name = "mhp_contig",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = contig_cases,
};

kunit_test_suite(contig_suite);

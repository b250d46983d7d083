// SPDX-License-Identifier: GPL-2.0
/*
 * Who walks over pages and comes to those that hold the memmap of their own
 * host: each walker of mm/ knows them.
 *
 *	| VVm..m..m | VVm..m..m | VVm..m..m |	online, in one zone
 */

#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/page-isolation.h>

#include "../internal.h"
#include "contents.h"
#include "fake_section.h"
#include "log_lines.h"
#include "mhp_validate.h"
#include "self_hosted.h"

#define NR_CONTENTS	24

/* Without memory blocks, so that calls may go over any number of hosts. */
static struct fake_range online(struct kunit *test, unsigned int nr, enum zone_type zone)
{
	struct fake_range range = fake_range(test, nr);

	self_hosted_mode(test);
	KUNIT_ASSERT_EQ(test, fake_plug_self_hosted(test, range), 0);
	self_hosted_expect(test, range);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages, zone), 0);
	return range;
}

static void online_pages_frees_no_vmemmap_page(struct kunit *test)
{
	struct fake_range range = online(test, 3, ZONE_NORMAL);
	unsigned long pfn, free = 0;

	self_hosted_expect(test, range);
	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn++) {
		if (!self_hosted_is_marked(pfn))
			continue;
		free += is_free_buddy_page(pfn_to_page(pfn));
	}
	KUNIT_EXPECT_EQ(test, free, 0);
}

/*
 * One call for all hosts: what is movable lies on both sides of what is not.
 * Nothing tries to move a vmemmap page.
 */
static void offline_pages_migrates_around_vmemmap_pages(struct kunit *test)
{
	struct kmsg_dump_iter iter;
	struct fake_range range = online(test, 3, ZONE_MOVABLE);
	unsigned long first = range.pfn + self_hosted_vmemmap_pages(test);
	unsigned long end = range.pfn + range.nr_pages - range.nr_pages / 8;
	unsigned long stride = (end - first) / NR_CONTENTS, host = self_hosted_host(test);
	struct contents *contents;

	/* Not onto the vmemmap pages of another host */
	if (stride > host)
		stride = rounddown(stride, host);
	contents = contents_fill(test, first, stride, NR_CONTENTS);

	log_lines_begin(&iter);
	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_EXPECT_EQ(test, log_lines_count(&iter, "failed to isolate pfn"), 0);
	contents_expect_intact(test, contents);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 0);
	self_hosted_expect(test, range);
}

/* In the other order than they went online, one by one */
static void offline_pages_of_one_host_leaves_others(struct kunit *test)
{
	struct fake_range range = online(test, 3, ZONE_NORMAL);
	unsigned long pfn = range.pfn + range.nr_pages;

	while (pfn > range.pfn) {
		unsigned long host = max(self_hosted_host(test), PAGES_PER_SECTION);

		pfn -= host;
		KUNIT_ASSERT_EQ(test, fake_offline_pages(test, pfn, host), 0);
		self_hosted_expect(test, range);
	}
}

static int isolate(struct fake_range range, int flags)
{
	return start_isolate_page_range(range.pfn, range.pfn + range.nr_pages, MIGRATE_MOVABLE,
					flags, GFP_USER | __GFP_MOVABLE | __GFP_RETRY_MAYFAIL);
}

static void isolation_for_offlining_passes_over_vmemmap_pages(struct kunit *test)
{
	struct fake_range range = online(test, 2, ZONE_MOVABLE);
	unsigned long end = range.pfn + range.nr_pages;
	unsigned long nr = self_hosted_vmemmap_pages(test);
	struct zone *zone = page_zone(pfn_to_page(range.pfn));
	int err;

	zone_pcp_disable(zone);
	err = isolate(range, MEMORY_OFFLINE);
	KUNIT_EXPECT_EQ(test, err, 0);
	if (!err) {
		KUNIT_EXPECT_EQ(test, test_pages_isolated(range.pfn, end, MEMORY_OFFLINE), 0);
		KUNIT_EXPECT_EQ(test, test_pages_isolated(range.pfn, range.pfn + nr,
							  MEMORY_OFFLINE), 0);
		/* For any other purpose they are in use. */
		KUNIT_EXPECT_EQ(test, test_pages_isolated(range.pfn, end, 0), -EBUSY);
		undo_isolate_page_range(range.pfn, end, MIGRATE_MOVABLE);
	}
	zone_pcp_enable(zone);
	mhp_validate(test, "start_isolate_page_range");
	self_hosted_expect(test, range);
}

static void isolation_for_allocation_is_refused(struct kunit *test)
{
	struct fake_range range = online(test, 1, ZONE_NORMAL);
	unsigned long nr = self_hosted_vmemmap_pages(test);
	int err;

	KUNIT_EXPECT_EQ(test, isolate(range, 0), -EBUSY);
	KUNIT_EXPECT_EQ(test, alloc_contig_range(range.pfn, range.pfn + nr, MIGRATE_MOVABLE,
						 GFP_KERNEL), -EBUSY);
	KUNIT_EXPECT_EQ(test, alloc_contig_range(range.pfn + nr - 1, range.pfn + nr + 1,
						 MIGRATE_MOVABLE, GFP_KERNEL), -EBUSY);
	if (pageblock_aligned(range.pfn + nr)) {
		err = alloc_contig_range(range.pfn + nr, range.pfn + nr + 1, MIGRATE_MOVABLE,
					 GFP_KERNEL);
		KUNIT_EXPECT_EQ(test, err, 0);
		if (!err)
			free_contig_range(range.pfn + nr, 1);
	}
	mhp_validate(test, "alloc_contig_range");
	self_hosted_expect(test, range);
}

/* No pageblock of the range has a page that could be asked. */
static void test_pages_isolated_of_offline_memory(struct kunit *test)
{
	struct fake_range range = self_hosted_add(test, 2);

	KUNIT_EXPECT_EQ(test, test_pages_isolated(range.pfn, range.pfn + range.nr_pages,
						  MEMORY_OFFLINE), -EBUSY);
}

/*
 *	| VVm m m m |
 */
static void compaction_isolates_no_vmemmap_page(struct kunit *test)
{
	struct fake_range range = online(test, 1, ZONE_MOVABLE);
	unsigned long nr = self_hosted_vmemmap_pages(test);
	struct contents *contents = contents_fill(test, range.pfn + nr, 2, 4);
	struct compact_control cc = {
		.zone = page_zone(pfn_to_page(range.pfn)),
		.order = -1,
		.mode = MIGRATE_SYNC,
		.ignore_skip_hint = true,
		.no_set_skip_hint = true,
		.gfp_mask = GFP_KERNEL,
		.alloc_contig = true,
	};
	struct page *page;
	int err;

	INIT_LIST_HEAD(&cc.migratepages);
	lru_add_drain_all();
	err = isolate_migratepages_range(&cc, range.pfn, range.pfn + nr + 8);
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_EQ(test, cc.nr_migratepages, 4);
	list_for_each_entry(page, &cc.migratepages, lru)
		KUNIT_EXPECT_GE(test, page_to_pfn(page), range.pfn + nr);
	putback_movable_pages(&cc.migratepages);
	self_hosted_expect(test, range);
	contents_expect_intact(test, contents);
	mhp_validate(test, "isolate_migratepages_range");
}

/* A pageblock of nothing but vmemmap pages is not scanned again and again. */
static void compaction_skips_vmemmap_pageblock_next_time(struct kunit *test)
{
	struct fake_range range = online(test, 1, ZONE_MOVABLE);
	struct page *first = pfn_to_page(range.pfn);
	struct compact_control cc = {
		.zone = page_zone(first),
		.order = -1,
		.mode = MIGRATE_SYNC,
		.ignore_skip_hint = true,
		.gfp_mask = GFP_KERNEL,
	};

	if (self_hosted_vmemmap_pages(test) < pageblock_nr_pages)
		kunit_skip(test, "no pageblock has vmemmap pages only");
	INIT_LIST_HEAD(&cc.migratepages);
	clear_pageblock_skip(first);
	KUNIT_EXPECT_EQ(test, isolate_migratepages_range(&cc, range.pfn,
							 range.pfn + pageblock_nr_pages), 0);
	KUNIT_EXPECT_EQ(test, cc.nr_migratepages, 0);
	KUNIT_EXPECT_TRUE(test, get_pageblock_skip(first));
}

static void dump_page_of_a_vmemmap_page(struct kunit *test)
{
	struct fake_range range = online(test, 1, ZONE_NORMAL);

	dump_page(pfn_to_page(range.pfn), "a test wants to see a vmemmap page");
	self_hosted_expect(test, range);
}

static struct kunit_case vmemmap_walk_cases[] = {
	KUNIT_CASE(online_pages_frees_no_vmemmap_page),
	KUNIT_CASE(offline_pages_migrates_around_vmemmap_pages),
	KUNIT_CASE(offline_pages_of_one_host_leaves_others),
	KUNIT_CASE(isolation_for_offlining_passes_over_vmemmap_pages),
	KUNIT_CASE(isolation_for_allocation_is_refused),
	KUNIT_CASE(test_pages_isolated_of_offline_memory),
	KUNIT_CASE(compaction_isolates_no_vmemmap_page),
	KUNIT_CASE(compaction_skips_vmemmap_pageblock_next_time),
	KUNIT_CASE(dump_page_of_a_vmemmap_page),
	{}
};

static struct kunit_suite vmemmap_walk_suite = {
	.name = "mhp_vmemmap_walk",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = vmemmap_walk_cases,
};

kunit_test_suite(vmemmap_walk_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of the validator: pages, zones, nodes, the page allocator, and the
 * state that is compared before and after a case.
 */

#include <linux/gfp.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "mhp_planted.h"

static pg_data_t *planted_node(void)
{
	return NODE_DATA(0);
}

/* The span of a zone changes, and that of its node as it has to. */
static void move_end(struct zone *zone, long nr_pages)
{
	pg_data_t *pgdat = zone->zone_pgdat;
	unsigned long end = 0;
	int i;

	zone->spanned_pages += nr_pages;
	for (i = 0; i < MAX_NR_ZONES; i++)
		if (pgdat->node_zones[i].spanned_pages)
			end = max(end, zone_end_pfn(&pgdat->node_zones[i]));
	pgdat->node_spanned_pages = end - pgdat->node_start_pfn;
}

static void online_pages_not_initialised(struct kunit *test)
{
	struct fake_range range = planted_online(test, 1);
	struct page *page = planted_pageblock(test, range), was = *page;

	page_init_poison(page, sizeof(*page));
	if (!PagePoisoned(page)) {
		free_contig_range(range.pfn, pageblock_nr_pages);
		kunit_skip(test, "struct pages are not poisoned with this configuration");
	}
	planted_look(test);
	*page = was;
	free_contig_range(range.pfn, pageblock_nr_pages);
	/* The pageblock is the first of its zone, and missing there. */
	planted_expect(test, "online_pages", "zone_span", "zone_present", "zone_managed");
}

/*
 *	present	    | sec | sec |
 *	zone	|   span              |
 */
static void zone_span_too_long(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	planted_online(test, 1);
	move_end(zone, PAGES_PER_SECTION);
	planted_look(test);
	move_end(zone, -PAGES_PER_SECTION);
	planted_expect(test, "zone_span");
}

static void zone_span_too_short(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	planted_online(test, 2);
	move_end(zone, -MAX_ORDER_NR_PAGES);
	planted_look(test);
	move_end(zone, MAX_ORDER_NR_PAGES);
	/* What is free there is outside of it. */
	planted_expect(test, "zone_span", "free_lists");
}

static void zone_present_off_by_a_section(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_NORMAL);

	zone->present_pages += PAGES_PER_SECTION;
	planted_node()->node_present_pages += PAGES_PER_SECTION;
	planted_look(test);
	zone->present_pages -= PAGES_PER_SECTION;
	planted_node()->node_present_pages -= PAGES_PER_SECTION;
	planted_expect(test, "zone_present");
}

static void zone_present_early_off_by_one(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_NORMAL);

	zone->present_early_pages--;
	planted_look(test);
	zone->present_early_pages++;
	planted_expect(test, "zone_present");
}

static void zone_managed_off_by_one(struct kunit *test)
{
	struct fake_range range = planted_online(test, 1);

	adjust_managed_page_count(pfn_to_page(range.pfn), 1);
	planted_look(test);
	adjust_managed_page_count(pfn_to_page(range.pfn), -1);
	planted_expect(test, "zone_managed");
}

static void zone_managed_counts_an_offline_page(struct kunit *test)
{
	struct fake_range range = planted_online(test, 1);
	struct page *page = planted_pageblock(test, range);

	__SetPageOffline(page);
	planted_look(test);
	__ClearPageOffline(page);
	free_contig_range(range.pfn, pageblock_nr_pages);
	planted_expect(test, "zone_managed");
}

/*
 *	blocks	| online | offline | online |
 *	zone	|         contiguous        |
 */
static void zone_contiguous_over_a_hole(struct kunit *test)
{
	struct fake_range range = planted_online(test, 3);
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 1)), 0);
	zone->contiguous = true;
	planted_look(test);
	zone->contiguous = false;
	planted_expect(test, "zone_contiguous");
}

static void node_spans_less_than_its_zones(struct kunit *test)
{
	planted_online(test, 1);
	planted_node()->node_spanned_pages -= PAGES_PER_SECTION;
	planted_look(test);
	planted_node()->node_spanned_pages += PAGES_PER_SECTION;
	planted_expect(test, "node");
}

static void node_present_off_by_one(struct kunit *test)
{
	planted_node()->node_present_pages++;
	planted_look(test);
	planted_node()->node_present_pages--;
	planted_expect(test, "node");
}

static void zonelists_without_a_zone(struct kunit *test)
{
	struct zoneref *ref = planted_node()->node_zonelists[ZONELIST_FALLBACK]._zonerefs;
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	planted_online(test, 1);
	while (ref->zone && ref->zone != zone)
		ref++;
	KUNIT_ASSERT_PTR_EQ(test, ref->zone, zone);
	/* Whoever allocates meanwhile finds a zone, if twice the same. */
	ref->zone = fake_zone(ZONE_NORMAL);
	planted_look(test);
	ref->zone = zone;
	planted_expect(test, "zonelists");
}

static void totalram_off_by_one(struct kunit *test)
{
	totalram_pages_inc();
	planted_look(test);
	totalram_pages_dec();
	planted_expect(test, "totalram");
}

static void max_pfn_below_a_block(struct kunit *test)
{
	struct fake_range range = planted_offline(test, 1);
	unsigned long was = max_pfn;

	max_pfn = range.pfn;
	planted_look(test);
	max_pfn = was;
	planted_expect(test, "max_pfn");
}

static void isolation_of_a_pageblock(struct kunit *test)
{
	struct fake_range range = planted_online(test, 1);

	KUNIT_ASSERT_EQ(test, 0,
			start_isolate_page_range(range.pfn, range.pfn + pageblock_nr_pages,
						 MIGRATE_MOVABLE, 0, GFP_KERNEL));
	planted_look(test);
	planted_expect(test, "isolation");

	mhp_validate_expect_isolated(range.pfn, pageblock_nr_pages, true);
	planted_look(test);
	mhp_validate_expect_isolated(range.pfn, pageblock_nr_pages, false);
	undo_isolate_page_range(range.pfn, range.pfn + pageblock_nr_pages, MIGRATE_MOVABLE);
	planted_expect_nothing(test);
}

static void isolation_counted_but_not_there(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	zone->nr_isolate_pageblock++;
	planted_look(test);
	zone->nr_isolate_pageblock--;
	planted_expect(test, "isolation");
}

static void isolation_not_counted(struct kunit *test)
{
	struct fake_range range = planted_online(test, 1);
	struct page *page = planted_pageblock(test, range);

	set_pageblock_migratetype(page, MIGRATE_ISOLATE);
	planted_look(test);
	set_pageblock_migratetype(page, MIGRATE_MOVABLE);
	free_contig_range(range.pfn, pageblock_nr_pages);
	planted_expect(test, "isolation");
}

static struct list_head *movable_list(int order)
{
	return &fake_zone(ZONE_MOVABLE)->free_area[order].free_list[MIGRATE_MOVABLE];
}

/* Nothing else is free in ZONE_MOVABLE: the largest order has some. */
static struct page *free_block(struct kunit *test)
{
	planted_online(test, 1);
	KUNIT_ASSERT_FALSE(test, list_empty(movable_list(MAX_PAGE_ORDER)));
	return list_first_entry(movable_list(MAX_PAGE_ORDER), struct page, buddy_list);
}

static void free_lists_of_another_migratetype(struct kunit *test)
{
	struct page *page = free_block(test);
	struct free_area *area = &fake_zone(ZONE_MOVABLE)->free_area[MAX_PAGE_ORDER];

	list_move(&page->buddy_list, &area->free_list[MIGRATE_UNMOVABLE]);
	planted_look(test);
	list_move(&page->buddy_list, &area->free_list[MIGRATE_MOVABLE]);
	planted_expect(test, "free_lists");
}

static void free_lists_of_another_order(struct kunit *test)
{
	struct page *page = free_block(test);
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	list_move(&page->buddy_list, movable_list(0));
	zone->free_area[MAX_PAGE_ORDER].nr_free--;
	zone->free_area[0].nr_free++;
	planted_look(test);
	list_move(&page->buddy_list, movable_list(MAX_PAGE_ORDER));
	zone->free_area[MAX_PAGE_ORDER].nr_free++;
	zone->free_area[0].nr_free--;
	planted_expect(test, "free_lists");
}

static void free_lists_without_the_buddy_mark(struct kunit *test)
{
	struct page *page = free_block(test);

	__ClearPageBuddy(page);
	planted_look(test);
	__SetPageBuddy(page);
	planted_expect(test, "free_lists");
}

static void free_lists_counted_wrong(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_MOVABLE);

	planted_online(test, 1);
	zone->free_area[0].nr_free++;
	planted_look(test);
	zone->free_area[0].nr_free--;
	planted_expect(test, "free_lists");

	mod_zone_page_state(zone, NR_FREE_PAGES, -1);
	planted_look(test);
	mod_zone_page_state(zone, NR_FREE_PAGES, 1);
	planted_expect(test, "free_lists");
}

static void pcp_left_disabled(struct kunit *test)
{
	struct zone *zone = fake_zone(ZONE_MOVABLE);
	struct per_cpu_pages *pcp;
	int was;

	planted_online(test, 1);
	pcp = per_cpu_ptr(zone->per_cpu_pageset, 0);
	was = pcp->high_max;
	pcp->high_max = was + 1;
	planted_look(test);
	pcp->high_max = was;
	planted_expect(test, "pcp");

	atomic_inc(&lru_disable_count);
	planted_look(test);
	atomic_dec(&lru_disable_count);
	planted_expect(test, "pcp");
}

static void state_tells_each_difference(struct kunit *test)
{
	struct mhp_state *before = kunit_kzalloc(test, sizeof(*before), GFP_KERNEL);
	struct mhp_state *after = kunit_kzalloc(test, sizeof(*after), GFP_KERNEL);
	struct mhp_violations *found = kunit_kzalloc(test, sizeof(*found), GFP_KERNEL);
	unsigned long *word;

	KUNIT_ASSERT_TRUE(test, before && after && found);
	mhp_state_take(before);
	mhp_state_take(after);
	KUNIT_EXPECT_EQ(test, mhp_state_compare(before, after, found), 0);

	/* A state is all unsigned longs; each of them matters. */
	for (word = (unsigned long *)after; word < (unsigned long *)(after + 1); word++) {
		++*word;
		KUNIT_EXPECT_EQ_MSG(test, mhp_state_compare(before, after, found), 1,
				    "word %td", word - (unsigned long *)after);
		--*word;
	}
}

static void state_sees_what_is_left(struct kunit *test)
{
	struct mhp_state *before = kunit_kzalloc(test, sizeof(*before), GFP_KERNEL);
	struct mhp_state *after = kunit_kzalloc(test, sizeof(*after), GFP_KERNEL);
	struct mhp_violations *found = kunit_kzalloc(test, sizeof(*found), GFP_KERNEL);

	KUNIT_ASSERT_TRUE(test, before && after && found);
	mhp_state_take(before);
	planted_offline(test, 1);
	mhp_state_take(after);
	/* Sections, blocks, ranges and pages of System RAM, nr_memmap_pages, what is mapped */
	KUNIT_EXPECT_EQ(test, mhp_state_compare(before, after, found),
			5 + mhp_memmap_can_be_walked());
}

static struct kunit_case validate_zones_cases[] = {
	KUNIT_CASE(online_pages_not_initialised),
	KUNIT_CASE(zone_span_too_long),
	KUNIT_CASE(zone_span_too_short),
	KUNIT_CASE(zone_present_off_by_a_section),
	KUNIT_CASE(zone_present_early_off_by_one),
	KUNIT_CASE(zone_managed_off_by_one),
	KUNIT_CASE(zone_managed_counts_an_offline_page),
	KUNIT_CASE(zone_contiguous_over_a_hole),
	KUNIT_CASE(node_spans_less_than_its_zones),
	KUNIT_CASE(node_present_off_by_one),
	KUNIT_CASE(zonelists_without_a_zone),
	KUNIT_CASE(totalram_off_by_one),
	KUNIT_CASE(max_pfn_below_a_block),
	KUNIT_CASE(isolation_of_a_pageblock),
	KUNIT_CASE(isolation_counted_but_not_there),
	KUNIT_CASE(isolation_not_counted),
	KUNIT_CASE(free_lists_of_another_migratetype),
	KUNIT_CASE(free_lists_of_another_order),
	KUNIT_CASE(free_lists_without_the_buddy_mark),
	KUNIT_CASE(free_lists_counted_wrong),
	KUNIT_CASE(pcp_left_disabled),
	KUNIT_CASE(state_tells_each_difference),
	KUNIT_CASE(state_sees_what_is_left),
	{}
};

static struct kunit_suite validate_zones_suite = {
	.name = "mhp_validate_zones",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = validate_zones_cases,
};

kunit_test_suite(validate_zones_suite);

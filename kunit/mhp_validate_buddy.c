// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of the page allocator: isolated pageblocks, free lists, and whether
 * what offlining switches off is on again.
 */

#include <linux/percpu.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "mhp_checks.h"

static bool is_unexpectedly_isolated(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && get_pageblock_migratetype(page) == MIGRATE_ISOLATE &&
	       !mhp_is_isolation_expected(pfn);
}

static int name_isolated(unsigned long pfn, unsigned long nr_pages, void *arg)
{
	unsigned long end = pfn + nr_pages, next;
	struct mhp_ctx *ctx = arg;

	for (; pfn < end; pfn = next) {
		next = pageblock_end_pfn(pfn);
		if (!is_unexpectedly_isolated(pfn))
			continue;
		while (next < end && is_unexpectedly_isolated(next))
			next = pageblock_end_pfn(next);
		mhp_violation(ctx,
			      "%s: pfn %#lx-%#lx (%s), %lu pageblocks, are still MIGRATE_ISOLATE",
			      section_name(pfn_to_section_nr(pfn)).s, pfn, next - 1,
			      zone_name(page_zone(pfn_to_page(pfn))).s,
			      DIV_ROUND_UP(next - pfn, pageblock_nr_pages));
	}
	return 0;
}

/* No pageblock is isolated, and zones do not count any. */
void check_isolation(struct mhp_ctx *ctx)
{
	bool unexpected = false;
	struct zone *zone;

	for_each_zone(zone) {
		struct mhp_zone_survey *survey = mhp_survey_of(ctx, zone);

		unexpected |= survey->isolated != survey->expected_isolated;
		if (zone->nr_isolate_pageblock != survey->isolated)
			mhp_violation(ctx,
				      "%s: nr_isolate_pageblock is %ld, but %lu of its pageblocks are isolated",
				      zone_name(zone).s, zone->nr_isolate_pageblock,
				      survey->isolated);
	}
	if (unexpected)
		walk_system_ram_range(0, PHYS_PFN(PHYSMEM_END), ctx, name_isolated);
}

/* What is wrong with a page in the free list of @zone, @order and @mt, or NULL */
static const char *fault_of(struct page *page, struct zone *zone, int order, int mt)
{
	unsigned long pfn = page_to_pfn(page), block;

	/* Before all else: is there a struct page to be read? */
	if (!mhp_has_memmap(pfn))
		return "of a section that is absent";
	if (!pfn_to_online_page(pfn))
		return "of a section that is offline";
	if (PagePoisoned(page))
		return "with a poisoned struct page";
	if (page_zone(page) != zone)
		return "of another zone";
	if (!zone_spans_pfn(zone, pfn))
		return "outside of the span of the zone";
	if (!PageBuddy(page))
		return "that is not PageBuddy";
	if (page_private(page) != order)
		return "of another order";
	if (!IS_ALIGNED(pfn, 1UL << order))
		return "that is not aligned to its order";
	for (block = pfn; block < pfn + (1UL << order); block += pageblock_nr_pages)
		if (get_pageblock_migratetype(pfn_to_page(block)) != mt)
			return "of a pageblock of another migratetype";
	return NULL;
}

/* Returns how many blocks are in the list, as far as it can be followed. */
static unsigned long check_free_list(struct mhp_ctx *ctx, struct zone *zone, int order, int mt)
{
	struct free_area *area = &zone->free_area[order];
	struct list_head *pos, *head = &area->free_list[mt];
	unsigned long nr = 0;

	for (pos = head->next; pos != head; pos = pos->next) {
		struct page *page = list_entry(pos, struct page, buddy_list);
		const char *fault = fault_of(page, zone, order, mt);

		if (fault)
			mhp_violation(ctx,
				      "%s: its free list of order %d, migratetype %d, has pfn %#lx (section %lu), a page %s",
				      zone_name(zone).s, order, mt, page_to_pfn(page),
				      pfn_to_section_nr(page_to_pfn(page)), fault);
		/* Not further: the links are in the struct page, or go in a circle. */
		if (!mhp_has_memmap(page_to_pfn(page)) || PagePoisoned(page) ||
		    nr++ > area->nr_free)
			break;
	}
	return nr;
}

static bool is_isolate(int mt)
{
#ifdef CONFIG_MEMORY_ISOLATION
	return mt == MIGRATE_ISOLATE;
#else
	return false;
#endif
}

static void check_free_lists_of(struct mhp_ctx *ctx, struct zone *zone)
{
	long pages = 0, counted;
	unsigned long flags;
	int order, mt;

	spin_lock_irqsave(&zone->lock, flags);
	for (order = 0; order < NR_PAGE_ORDERS; order++) {
		unsigned long nr = 0;

		for (mt = 0; mt < MIGRATE_TYPES; mt++) {
			unsigned long nr_of_list = check_free_list(ctx, zone, order, mt);

			nr += nr_of_list;
			/* Isolated pages are not available, and do not count as free. */
			if (!is_isolate(mt))
				pages += nr_of_list << order;
		}
		if (nr != zone->free_area[order].nr_free)
			mhp_violation(ctx,
				      "%s: %lu blocks of order %d are in the free lists, but nr_free is %lu",
				      zone_name(zone).s, nr, order, zone->free_area[order].nr_free);
	}
	counted = zone_page_state_snapshot(zone, NR_FREE_PAGES);
	if (counted != pages && !ctx->nr_of_check)
		mhp_violation(ctx,
			      "%s: %ld pages are in the free lists, but NR_FREE_PAGES is %ld: %s",
			      zone_name(zone).s, pages, counted, off_by(counted - pages).s);
	spin_unlock_irqrestore(&zone->lock, flags);
}

/*
 * Free pages are in the list of their zone, order and migratetype, and all are
 * counted.  What is in per-cpu lists is neither here nor there.
 */
void check_free_lists(struct mhp_ctx *ctx)
{
	struct zone *zone;

	for_each_zone(zone)
		if (zone->initialized)
			check_free_lists_of(ctx, zone);
}

/* Per-cpu lists and LRU caches, which offlining disables, are enabled again. */
void check_pcp(struct mhp_ctx *ctx)
{
	struct zone *zone;
	int cpu;

	for_each_populated_zone(zone) {
		for_each_possible_cpu(cpu) {
			struct per_cpu_pages *pcp = per_cpu_ptr(zone->per_cpu_pageset, cpu);

			if (pcp->high_min == zone->pageset_high_min &&
			    pcp->high_max == zone->pageset_high_max)
				continue;
			mhp_violation(ctx,
				      "%s: the per-cpu lists of cpu %d hold %d to %d pages, and not %d to %d",
				      zone_name(zone).s, cpu, pcp->high_min, pcp->high_max,
				      zone->pageset_high_min, zone->pageset_high_max);
		}
	}
	if (lru_cache_disabled())
		mhp_violation(ctx, "LRU caches are still disabled");
}

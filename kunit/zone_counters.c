// SPDX-License-Identifier: GPL-2.0
/*
 * Snapshots of zones; see zone_counters.h.
 */

#include <linux/mm.h>
#include <linux/swap.h>

#include "fake_section.h"
#include "zone_counters.h"

/**
 * zone_counters_take() - take a snapshot
 * @counters: where to
 */
void zone_counters_take(struct zone_counters *counters)
{
	enum zone_type i;

	memset(counters, 0, sizeof(*counters));
	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = fake_zone(i);
		struct per_cpu_pages *pcp;

		counters->zones[i].start_pfn = zone->zone_start_pfn;
		counters->zones[i].spanned = zone->spanned_pages;
		counters->zones[i].present = zone->present_pages;
		counters->zones[i].managed = zone_managed_pages(zone);
		counters->zones[i].isolated = zone->nr_isolate_pageblock;
		if (!populated_zone(zone))
			continue;
		/* They are the same for all CPUs. */
		pcp = per_cpu_ptr(zone->per_cpu_pageset, cpumask_first(cpu_online_mask));
		counters->zones[i].pcp_high_min = READ_ONCE(pcp->high_min);
		counters->zones[i].pcp_high_max = READ_ONCE(pcp->high_max);
		counters->zones[i].pcp_batch = READ_ONCE(pcp->batch);
	}
	counters->totalram = totalram_pages();
	counters->lru_disabled = lru_cache_disabled();
}

static void expect_same(struct kunit *test, const char *zone, const char *what,
			unsigned long now, unsigned long before)
{
	KUNIT_EXPECT_EQ_MSG(test, now, before, "%s of zone %s", what, zone);
}

/**
 * zone_counters_expect() - fail the case for each counter that is another now
 * @test: the running case
 * @before: what they should be
 */
void zone_counters_expect(struct kunit *test, const struct zone_counters *before)
{
	struct zone_counters now;
	enum zone_type i;

	zone_counters_take(&now);
	for (i = 0; i < MAX_NR_ZONES; i++) {
		const char *name = fake_zone(i)->name;

		expect_same(test, name, "start_pfn", now.zones[i].start_pfn,
			    before->zones[i].start_pfn);
		expect_same(test, name, "spanned", now.zones[i].spanned,
			    before->zones[i].spanned);
		expect_same(test, name, "present", now.zones[i].present,
			    before->zones[i].present);
		expect_same(test, name, "managed", now.zones[i].managed,
			    before->zones[i].managed);
		expect_same(test, name, "isolated", now.zones[i].isolated,
			    before->zones[i].isolated);
		expect_same(test, name, "pcp_high_min", now.zones[i].pcp_high_min,
			    before->zones[i].pcp_high_min);
		expect_same(test, name, "pcp_high_max", now.zones[i].pcp_high_max,
			    before->zones[i].pcp_high_max);
		expect_same(test, name, "pcp_batch", now.zones[i].pcp_batch,
			    before->zones[i].pcp_batch);
	}
	KUNIT_EXPECT_EQ(test, now.totalram, before->totalram);
	KUNIT_EXPECT_EQ(test, now.lru_disabled, before->lru_disabled);
}

/**
 * pageblocks_expect_usable() - fail the case if pageblocks are not as usual
 * @test: the running case
 * @pfn: first page of the first one
 * @nr_pages: pages, whole pageblocks
 *
 * They have to be online, and pages can be allocated from them: none of them is
 * isolated.
 */
void pageblocks_expect_usable(struct kunit *test, unsigned long pfn,
			      unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages;

	for (; pfn < end; pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_online_page(pfn);

		if (page && get_pageblock_migratetype(page) == MIGRATE_MOVABLE)
			continue;
		KUNIT_FAIL(test, "the pageblock at pfn %#lx is %s", pfn,
			   page ? "not MIGRATE_MOVABLE" : "not online");
		return;
	}
}

/**
 * free_pages_expect_kept() - expect that something done again and again loses no memory
 * @test: the running case; skipped where free pages say nothing about it
 * @cycle: does it @cycles times at @pfn, and leaves nothing behind
 * @pfn: for @cycle
 * @cycles: how often
 * @lost: pages that would be lost by so many cycles
 *
 * The first cycle may take page tables that are kept.  A loss is seen each time
 * that it is looked for; what others, kcompactd for one, hold for a moment is not
 * there again the next time.
 */
void free_pages_expect_kept(struct kunit *test,
			    void (*cycle)(struct kunit *, unsigned long pfn, unsigned int cycles),
			    unsigned long pfn, unsigned int cycles, long lost)
{
	int i;

	fake_skip_if_allocations_are_recorded(test);
	cycle(test, pfn, 1);
	for (i = 0; i < 3; i++) {
		unsigned long before = fake_free_pages(), after;

		cycle(test, pfn, cycles);
		after = fake_free_pages();
		if ((long)(before - after) < lost)
			return;
		kunit_info(test, "%lu free pages became %lu in %u cycles", before, after, cycles);
	}
	KUNIT_FAIL(test, "%ld pages or more are lost in %u cycles", lost, cycles);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of what is kept for a node or for all memory against zones and blocks.
 */

#include <linux/memblock.h>
#include <linux/nodemask.h>

#include "mhp_checks.h"

static void check_one_node(struct mhp_ctx *ctx, pg_data_t *pgdat)
{
	unsigned long start = ULONG_MAX, end = 0, present = 0, normal = 0;
	const int nid = pgdat->node_id;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &pgdat->node_zones[i];

		present += zone->present_pages;
		if (i <= ZONE_NORMAL)
			normal += zone->present_pages;
		if (!zone->spanned_pages)
			continue;
		start = min(start, zone->zone_start_pfn);
		end = max(end, zone_end_pfn(zone));
	}
	if (!end)
		start = 0;
	if (pgdat->node_start_pfn != start || pgdat_end_pfn(pgdat) != end)
		mhp_violation(ctx,
			      "node %d: spans pfn %#lx-%#lx (end excluded), its zones span %#lx-%#lx",
			      nid, pgdat->node_start_pfn, pgdat_end_pfn(pgdat), start, end);
	if (pgdat->node_present_pages != present)
		mhp_violation(ctx, "node %d: node_present_pages is %ld, its zones have %ld",
			      nid, pgdat->node_present_pages, present);
	if (node_state(nid, N_MEMORY) != !!present)
		mhp_violation(ctx, "node %d: %s N_MEMORY, but has %lu pages", nid,
			      present ? "not in" : "in", present);
	if (node_state(nid, N_NORMAL_MEMORY) != !!normal)
		mhp_violation(ctx,
			      "node %d: %s N_NORMAL_MEMORY, but has %lu pages up to ZONE_NORMAL",
			      nid, normal ? "not in" : "in", normal);
}

/* Span, pages and states of nodes against their zones */
void check_node(struct mhp_ctx *ctx)
{
	pg_data_t *pgdat;

	for_each_online_pgdat(pgdat)
		check_one_node(ctx, pgdat);
}

/* The allocator finds each zone that has pages, and no other. */
void check_zonelists(struct mhp_ctx *ctx)
{
	struct zone *zone;

	for_each_zone(zone) {
		struct zonelist *list = &zone->zone_pgdat->node_zonelists[ZONELIST_FALLBACK];
		struct zoneref *ref;
		bool listed = false;

		for (ref = list->_zonerefs; ref->zone; ref++)
			listed |= ref->zone == zone;
		if (listed != populated_zone(zone))
			mhp_violation(ctx,
				      "%s: has %lu present pages, but is %s its node's zonelist",
				      zone_name(zone).s, zone->present_pages,
				      listed ? "in" : "not in");
	}
}

/* totalram_pages() is the sum of what zones manage. */
void check_totalram(struct mhp_ctx *ctx)
{
	unsigned long managed = 0;
	struct zone *zone;

	for_each_zone(zone)
		managed += zone_managed_pages(zone);
	if (totalram_pages() != managed)
		mhp_violation(ctx,
			      "totalram_pages() is %lu, but the zones manage %lu pages: %s",
			      totalram_pages(), managed, off_by(totalram_pages() - managed).s);
}

static int block_max_pfn(struct memory_block *mem, void *arg)
{
	const unsigned long end = section_nr_to_pfn(mem->start_section_nr +
						    mhp_sections_per_block());
	struct mhp_ctx *ctx = arg;

	/* Boot memory can end inside of its last block. */
	if (mem->start_section_nr > mhp_boot.last_early_section && end > max_pfn)
		mhp_violation(ctx, "%s: reaches beyond max_pfn, which is %#lx",
			      block_name(mem).s, max_pfn);
	return 0;
}

/* max_pfn covers all memory blocks. */
void check_max_pfn(struct mhp_ctx *ctx)
{
	for_each_memory_block(ctx, block_max_pfn);
}

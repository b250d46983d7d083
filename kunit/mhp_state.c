// SPDX-License-Identifier: GPL-2.0
/*
 * What a case has to leave as it found it.  Not free pages: they move by
 * themselves.
 */

#include <linux/ioport.h>

#include "mhp_checks.h"

static int count_block(struct memory_block *mem, void *arg)
{
	struct mhp_state *state = arg;

	state->blocks++;
	state->online_blocks += mem->state == MEM_ONLINE;
	return 0;
}

static int count_ram(unsigned long pfn, unsigned long nr_pages, void *arg)
{
	struct mhp_state *state = arg;

	state->ram_ranges++;
	state->ram_pages += nr_pages;
	return 0;
}

static void take_zone(struct mhp_state *state, struct zone *zone)
{
	const int slot = zone_to_nid(zone) % MHP_STATE_NODES;
	struct mhp_zone_state *z = &state->zone[slot][zone_idx(zone)];

	if (!mhp_zone_is_device(zone)) {
		/* A zone that shrinks ends with a sub-section, boot memory need not. */
		z->start_pfn += SUBSECTION_ALIGN_DOWN(zone->zone_start_pfn);
		z->spanned += SUBSECTION_ALIGN_UP(zone_end_pfn(zone)) -
			      SUBSECTION_ALIGN_DOWN(zone->zone_start_pfn);
	}
	z->present += zone->present_pages;
	z->managed += zone_managed_pages(zone);
}

/**
 * mhp_state_take() - take the state of memory hotplug down
 * @state: where to
 *
 * Like mhp_validate(), not with locks held.
 */
void mhp_state_take(struct mhp_state *state)
{
	struct zone *zone;
	unsigned long nr;

	memset(state, 0, sizeof(*state));
	mhp_memmap_counters(&state->memmap_pages, &state->memmap_boot_pages);
	lock_device_hotplug();
	get_online_mems();
	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		state->present_sections++;
		state->online_sections += online_section_nr(nr);
		state->early_sections += early_section(__nr_to_section(nr));
	}
	for_each_memory_block(state, count_block);
	walk_system_ram_range(0, PHYS_PFN(PHYSMEM_END), state, count_ram);
	for_each_zone(zone)
		take_zone(state, zone);
	state->totalram = totalram_pages();
	state->mapped_memmap = mhp_mapped_memmap();
	put_online_mems();
	unlock_device_hotplug();
}

static void compare(struct mhp_ctx *ctx, const char *what, unsigned long before,
		    unsigned long after)
{
	if (before != after)
		mhp_violation(ctx, "%s: %ld before the case, %ld after it", what, before, after);
}

static void compare_zone(struct mhp_ctx *ctx, int slot, int type,
			 const struct mhp_zone_state *before,
			 const struct mhp_zone_state *after)
{
	const char *name = NODE_DATA(first_online_node)->node_zones[type].name;

	if (!memcmp(before, after, sizeof(*before)))
		return;
	mhp_violation(ctx,
		      "node %d zone %s: start pfn %#lx, %lu pages spanned, %lu present, %lu managed before the case; %#lx, %lu, %lu, %lu after it",
		      slot, name, before->start_pfn, before->spanned, before->present,
		      before->managed, after->start_pfn, after->spanned, after->present,
		      after->managed);
}

/**
 * mhp_state_compare() - find the differences of two states
 * @before: taken when a case began
 * @after: taken at its end
 * @found: where they go
 *
 * Return: how many there are.
 */
int mhp_state_compare(const struct mhp_state *before, const struct mhp_state *after,
		      struct mhp_violations *found)
{
	struct mhp_ctx ctx = { .found = found, .name = "state" };
	int slot, type;

	found->count = 0;
	found->nr_lines = 0;
	compare(&ctx, "present sections", before->present_sections, after->present_sections);
	compare(&ctx, "online sections", before->online_sections, after->online_sections);
	compare(&ctx, "sections from boot", before->early_sections, after->early_sections);
	compare(&ctx, "memory blocks", before->blocks, after->blocks);
	compare(&ctx, "online memory blocks", before->online_blocks, after->online_blocks);
	compare(&ctx, "System RAM ranges", before->ram_ranges, after->ram_ranges);
	compare(&ctx, "pages of System RAM", before->ram_pages, after->ram_pages);
	compare(&ctx, "totalram_pages()", before->totalram, after->totalram);
	compare(&ctx, "nr_memmap_pages", before->memmap_pages, after->memmap_pages);
	compare(&ctx, "nr_memmap_boot_pages", before->memmap_boot_pages, after->memmap_boot_pages);
	compare(&ctx, "mapped bytes of memmap", before->mapped_memmap, after->mapped_memmap);
	for (slot = 0; slot < MHP_STATE_NODES; slot++)
		for (type = 0; type < MAX_NR_ZONES; type++)
			compare_zone(&ctx, slot, type, &before->zone[slot][type],
				     &after->zone[slot][type]);
	return found->count;
}

/**
 * mhp_state_expect_equal() - fail the case where two states are not the same
 * @test: the case
 * @before: taken when it began
 * @after: taken at its end
 */
void mhp_state_expect_equal(struct kunit *test, const struct mhp_state *before,
			    const struct mhp_state *after)
{
	static struct mhp_violations found;
	int i;

	if (!mhp_state_compare(before, after, &found))
		return;
	KUNIT_FAIL(test, "the case left %d things other than it found them:", found.count);
	for (i = 0; i < found.nr_lines; i++)
		kunit_err(test, "    %s\n", found.line[i].text);
}

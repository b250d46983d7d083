// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of memory blocks against sections, of memory groups against memory
 * blocks, and of the resource tree against both.
 */

#include <linux/bitmap.h>
#include <linux/ioport.h>

#include "mhp_checks.h"

static unsigned long end_section(struct memory_block *mem)
{
	return mem->start_section_nr + mhp_sections_per_block();
}

static bool is_early_block(struct memory_block *mem)
{
	unsigned long nr;

	for (nr = mem->start_section_nr; nr < end_section(mem); nr++)
		if (present_section_nr(nr) && early_section(__nr_to_section(nr)))
			return true;
	return false;
}

static unsigned long block_pfn(struct memory_block *mem)
{
	return section_nr_to_pfn(mem->start_section_nr);
}

static int block_sections(struct memory_block *mem, void *arg)
{
	const unsigned long per_block = mhp_sections_per_block();
	unsigned long nr, present = 0;
	struct mhp_ctx *ctx = arg;

	if (mem->start_section_nr != mem->dev.id * per_block)
		mhp_violation(ctx, "%s: starts at section %lu, but has the number %u",
			      block_name(mem).s, mem->start_section_nr, mem->dev.id);
	for (nr = mem->start_section_nr; nr < end_section(mem); nr++)
		present += present_section_nr(nr);
	if (!present)
		mhp_violation(ctx, "%s: none of its %lu sections is present",
			      block_name(mem).s, per_block);
	else if (present < per_block && !is_early_block(mem))
		mhp_violation(ctx, "%s: hot-added, but only %lu of its %lu sections are present",
			      block_name(mem).s, present, per_block);
	return 0;
}

/* Each memory block has sections; all of them, unless it was there at boot. */
void check_block_sections(struct mhp_ctx *ctx)
{
	for_each_memory_block(ctx, block_sections);
}

static void bare_section(struct mhp_ctx *ctx, unsigned long nr)
{
	struct mem_section *ms = __nr_to_section(nr);
	unsigned long pfn, end = section_nr_to_pfn(nr + 1);

	for (pfn = section_nr_to_pfn(nr); pfn < end; pfn += PAGES_PER_SUBSECTION) {
		if (!pfn_section_valid(ms, pfn) || mhp_is_bare(pfn) || mhp_is_device_pfn(pfn))
			continue;
		mhp_violation(ctx,
			      "%s: present at pfn %#lx without a memory block, and not ZONE_DEVICE",
			      section_name(nr).s, pfn);
		return;
	}
}

/* Each section belongs to a memory block, to a device or to the test. */
void check_bare_sections(struct mhp_ctx *ctx)
{
	unsigned long nr;

	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		struct memory_block *mem = find_memory_block(nr);

		if (mem)
			put_device(&mem->dev);
		else
			bare_section(ctx, nr);
	}
}

static int block_state(struct memory_block *mem, void *arg)
{
	unsigned long nr, wrong = 0, first_wrong = 0;
	bool online = mem->state == MEM_ONLINE;
	struct mhp_ctx *ctx = arg;

	if (mem->state != MEM_ONLINE && mem->state != MEM_OFFLINE) {
		mhp_violation(ctx,
			      "%s: left in state %d, which is neither MEM_ONLINE nor MEM_OFFLINE",
			      block_name(mem).s, mem->state);
		return 0;
	}
	if (mem->dev.offline == online)
		mhp_violation(ctx, "%s: the block is %s, its device is %s", block_name(mem).s,
			      online ? "online" : "offline", online ? "offline" : "online");
	for (nr = mem->start_section_nr; nr < end_section(mem); nr++) {
		if (!present_section_nr(nr) || online_section_nr(nr) == online)
			continue;
		if (!wrong++)
			first_wrong = nr;
	}
	if (wrong)
		mhp_violation(ctx, "%s: %s, but %lu of its sections are %s, first %s",
			      block_name(mem).s, online ? "online" : "offline", wrong,
			      online ? "offline" : "online", section_name(first_wrong).s);
	return 0;
}

/* A block is online or offline, and so are its device and its sections. */
void check_block_state(struct mhp_ctx *ctx)
{
	for_each_memory_block(ctx, block_state);
}

static void online_block_zone(struct mhp_ctx *ctx, struct memory_block *mem)
{
	unsigned long nr;

	if (!mem->zone) {
		/* Of boot memory it is right: more than one zone. */
		if (!is_early_block(mem))
			mhp_violation(ctx, "%s: online, but belongs to no zone",
				      block_name(mem).s);
		return;
	}
	for (nr = mem->start_section_nr; nr < end_section(mem); nr++) {
		struct page *page = pfn_to_online_page(section_nr_to_pfn(nr));

		if (!page || PagePoisoned(page))
			continue;
		if (page_zone(page) != mem->zone)
			mhp_violation(ctx, "%s: belongs to %s, but pfn %#lx to %s",
				      block_name(mem).s, zone_name(mem->zone).s,
				      section_nr_to_pfn(nr), zone_name(page_zone(page)).s);
		if (IS_ENABLED(CONFIG_NUMA) && page_to_nid(page) != mem->nid)
			mhp_violation(ctx, "%s: belongs to node %d, but pfn %#lx to node %d",
				      block_name(mem).s, mem->nid, section_nr_to_pfn(nr),
				      page_to_nid(page));
	}
}

static int block_zone(struct memory_block *mem, void *arg)
{
	struct mhp_ctx *ctx = arg;

	if (mem->state == MEM_ONLINE)
		online_block_zone(ctx, mem);
	else if (mem->zone)
		mhp_violation(ctx, "%s: offline, but still belongs to %s",
			      block_name(mem).s, zone_name(mem->zone).s);
	if (IS_ENABLED(CONFIG_NUMA) && !node_online(mem->nid))
		mhp_violation(ctx, "%s: belongs to node %d, which is not online",
			      block_name(mem).s, mem->nid);
	return 0;
}

/* The zone and the node of a block are those of its pages. */
void check_block_zone(struct mhp_ctx *ctx)
{
	for_each_memory_block(ctx, block_zone);
}

static int block_altmap(struct memory_block *mem, void *arg)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	const unsigned long need = PFN_UP(MHP_MEMMAP_BYTES(nr_pages));
	struct vmem_altmap *altmap = mem->altmap;
	struct mhp_ctx *ctx = arg;

	if (!altmap)
		return 0;
	if (altmap->base_pfn != block_pfn(mem))
		mhp_violation(ctx, "%s: its altmap begins at pfn %#lx",
			      block_name(mem).s, altmap->base_pfn);
	if (altmap->alloc < need || altmap->alloc + altmap->align > altmap->free)
		mhp_violation(ctx,
			      "%s: %lu pages (%lu for alignment) are taken from its altmap of %lu, its memmap needs %lu",
			      block_name(mem).s, altmap->alloc, altmap->align, altmap->free, need);
	if (altmap->free >= nr_pages || !IS_ALIGNED(altmap->free, pageblock_nr_pages))
		mhp_violation(ctx, "%s: an altmap of %lu pages does not leave whole pageblocks",
			      block_name(mem).s, altmap->free);
	return 0;
}

/* A block that holds its own memmap: all of it, and accounted as such */
void check_block_altmap(struct mhp_ctx *ctx)
{
	for_each_memory_block(ctx, block_altmap);
}

static int memory_group(struct memory_block *mem, void *arg)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	struct memory_group *group = mem->group;
	unsigned long kernel = 0, movable = 0;
	struct mhp_ctx *ctx = arg;
	struct memory_block *member;

	/* Once for each group: at its first block */
	if (!group || !list_is_first(&mem->group_next, &group->memory_blocks))
		return 0;
	list_for_each_entry(member, &group->memory_blocks, group_next) {
		if (member->group != group)
			mhp_violation(ctx, "%s: in the list of another group",
				      block_name(member).s);
		if (member->state != MEM_ONLINE || !member->zone)
			continue;
		if (zone_idx(member->zone) == ZONE_MOVABLE)
			movable += nr_pages;
		else
			kernel += nr_pages;
	}
	if (group->present_kernel_pages != kernel || group->present_movable_pages != movable)
		mhp_violation(ctx,
			      "memory group of %s: counts %lu kernel and %lu movable pages present, its online blocks have %lu and %lu",
			      block_name(mem).s, group->present_kernel_pages,
			      group->present_movable_pages, kernel, movable);
	return 0;
}

/* What memory groups count, against their blocks */
void check_memory_groups(struct mhp_ctx *ctx)
{
	for_each_memory_block(ctx, memory_group);
}

static int ram_range(unsigned long pfn, unsigned long nr_pages, void *arg)
{
	const unsigned long start = pfn, end = pfn + nr_pages;
	struct mhp_ctx *ctx = arg;

	while (pfn < end) {
		struct mem_section *ms = __pfn_to_section(pfn);

		if (!present_section(ms) || !pfn_section_valid(ms, pfn)) {
			mhp_violation(ctx,
				      "System RAM %#llx-%#llx (pfn %#lx-%#lx): no memory is present at pfn %#lx, in section %lu",
				      (u64)PFN_PHYS(start), (u64)PFN_PHYS(end) - 1, start, end - 1,
				      pfn, pfn_to_section_nr(pfn));
			return 0;
		}
		if (bitmap_full(ms->usage->subsection_map, SUBSECTIONS_PER_SECTION))
			pfn = SECTION_ALIGN_UP(pfn + 1);
		else
			pfn = SUBSECTION_ALIGN_UP(pfn + 1);
	}
	return 0;
}

static int count_pages(unsigned long pfn, unsigned long nr_pages, void *arg)
{
	*(unsigned long *)arg += nr_pages;
	return 0;
}

static int block_ram(struct memory_block *mem, void *arg)
{
	const unsigned long nr_pages = PHYS_PFN(memory_block_size_bytes());
	struct mhp_ctx *ctx = arg;
	unsigned long ram = 0;

	walk_system_ram_range(block_pfn(mem), nr_pages, &ram, count_pages);
	if (!ram || (ram < nr_pages && !is_early_block(mem)))
		mhp_violation(ctx, "%s: %lu of its %lu pages are System RAM in the resource tree",
			      block_name(mem).s, ram, nr_pages);
	return 0;
}

/* Each System RAM range is present, and each block is System RAM. */
void check_system_ram(struct mhp_ctx *ctx)
{
	walk_system_ram_range(0, PHYS_PFN(PHYSMEM_END), ctx, ram_range);
	for_each_memory_block(ctx, block_ram);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of struct mem_section: flags, usage map, sub-section map, and the
 * memmap of what is offline.
 */

#include <linux/bitmap.h>
#include <linux/memremap.h>

#include "mhp_checks.h"

#ifdef CONFIG_ZONE_DEVICE
#define TAINTED	SECTION_TAINT_ZONE_DEVICE
#else
#define TAINTED	0UL
#endif

static struct mhp_name flag_names(unsigned long map)
{
	struct mhp_name name;

	scnprintf(name.s, sizeof(name.s), "flags%s%s%s%s%s",
		  map & SECTION_MARKED_PRESENT ? " MARKED_PRESENT" : "",
		  map & SECTION_HAS_MEM_MAP ? " HAS_MEM_MAP" : "",
		  map & SECTION_IS_ONLINE ? " IS_ONLINE" : "",
		  map & SECTION_IS_EARLY ? " IS_EARLY" : "",
		  map & TAINTED ? " TAINT_ZONE_DEVICE" : "");
	return name;
}

static bool has_block(unsigned long section_nr)
{
	struct memory_block *mem = find_memory_block(section_nr);

	if (mem)
		put_device(&mem->dev);
	return mem;
}

static void check_present_flags(struct mhp_ctx *ctx, unsigned long nr, unsigned long map)
{
	if (!(map & SECTION_HAS_MEM_MAP)) {
		ctx->found->memmap_unsafe = true;
		mhp_violation(ctx, "%s: present without a memmap: %s",
			      section_name(nr).s, flag_names(map).s);
		return;
	}
	if ((struct page *)(map & SECTION_MAP_MASK) + section_nr_to_pfn(nr) !=
	    pfn_to_page(section_nr_to_pfn(nr)))
		mhp_violation(ctx, "%s: section_mem_map %#lx is not the virtual memmap",
			      section_name(nr).s, map);
	if ((map & SECTION_IS_EARLY) && nr > mhp_boot.last_early_section)
		mhp_violation(ctx, "%s: hot-added, but IS_EARLY: %s",
			      section_name(nr).s, flag_names(map).s);
	/* A hot-added block is System RAM all over. */
	if ((map & SECTION_IS_ONLINE) && (map & TAINTED) && !(map & SECTION_IS_EARLY) &&
	    has_block(nr))
		mhp_violation(ctx, "%s: hot-added and online, but ZONE_DEVICE in part: %s",
			      section_name(nr).s, flag_names(map).s);
}

/* Flags of sections, one by one and against each other */
void check_section_flags(struct mhp_ctx *ctx)
{
	unsigned long nr, early = 0;

	for (nr = 0; nr <= __highest_present_section_nr; nr++) {
		struct mem_section *ms = __nr_to_section(nr);
		unsigned long map = ms ? ms->section_mem_map : 0;

		if (map & SECTION_MARKED_PRESENT)
			check_present_flags(ctx, nr, map);
		else if (map)
			mhp_violation(ctx, "%s: absent, but section_mem_map is %#lx: %s",
				      section_name(nr).s, map, flag_names(map).s);
		early += early_section(ms);
	}
	if (early > mhp_boot.early_sections)
		mhp_violation(ctx, "%lu sections are IS_EARLY, %lu were at boot",
			      early, mhp_boot.early_sections);
}

/* A usage map for each present section, and for no other */
void check_section_usage(struct mhp_ctx *ctx)
{
	unsigned long nr;

	for (nr = 0; nr <= __highest_present_section_nr; nr++) {
		struct mem_section *ms = __nr_to_section(nr);

		if (present_section(ms)) {
			if (!ms->usage)
				mhp_violation(ctx, "%s: present without a usage map",
					      section_name(nr).s);
			continue;
		}
		/* That of a section that was there at boot is kept, for reuse. */
		if (ms && ms->usage && nr > mhp_boot.last_early_section)
			mhp_violation(ctx, "%s: absent, but its usage map is still there",
				      section_name(nr).s);
	}
}

/* Sub-section maps: not empty where present, full where online, empty where absent */
void check_subsection_map(struct mhp_ctx *ctx)
{
	unsigned long nr;

	for (nr = 0; nr <= __highest_present_section_nr; nr++) {
		struct mem_section *ms = __nr_to_section(nr);
		unsigned int bits;

		if (!ms || !ms->usage)
			continue;
		/* It should not be there, and may have been freed already. */
		if (!present_section(ms) && nr > mhp_boot.last_early_section)
			continue;
		bits = bitmap_weight(ms->usage->subsection_map, SUBSECTIONS_PER_SECTION);
		if (!present_section(ms)) {
			if (bits)
				mhp_violation(ctx,
					      "%s: absent, but %u sub-sections are marked: %*pbl",
					      section_name(nr).s, bits,
					      (int)SUBSECTIONS_PER_SECTION,
					      ms->usage->subsection_map);
			continue;
		}
		if (!bits)
			mhp_violation(ctx, "%s: present, but no sub-section is marked",
				      section_name(nr).s);
		/* What boot memory has in its last section, check_system_ram() tells. */
		if (online_section(ms) && !early_section(ms) && bits != SUBSECTIONS_PER_SECTION)
			mhp_violation(ctx,
				      "%s: online, but only %u of %lu sub-sections are marked: %*pbl",
				      section_name(nr).s, bits, SUBSECTIONS_PER_SECTION,
				      (int)SUBSECTIONS_PER_SECTION, ms->usage->subsection_map);
	}
}

/* Whether a page has to have a struct page; boot sections are populated whole. */
bool mhp_has_memmap(unsigned long pfn)
{
	struct mem_section *ms = __pfn_to_section(pfn);

	return present_section(ms) && (early_section(ms) || pfn_section_valid(ms, pfn));
}

bool mhp_is_device_pfn(unsigned long pfn)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(pfn, NULL);

	put_dev_pagemap(pgmap);
	return pgmap;
}

/* vm_debug= can switch off what this file relies on. */
static bool is_memmap_poisoned(void)
{
	struct page page = {};

	page_init_poison(&page, sizeof(page));
	return PagePoisoned(&page);
}

static bool is_inaccessible(unsigned long section_nr)
{
	struct memory_block *mem = find_memory_block(section_nr);
	bool inaccessible = mem && mem->altmap && mem->altmap->inaccessible;

	if (mem)
		put_device(&mem->dev);
	return inaccessible;
}

/*
 * The memmap of what is offline is poisoned.  Looks at the end of each section:
 * the head can describe pages that hold a memmap, which are in use.
 */
void check_offline_memmap(struct mhp_ctx *ctx)
{
	unsigned long nr;

	if (!is_memmap_poisoned())
		return;
	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		unsigned long pfn = section_nr_to_pfn(nr + 1) - 1;

		if (online_section_nr(nr) || !pfn_section_valid(__nr_to_section(nr), pfn) ||
		    mhp_is_device_pfn(pfn) || is_inaccessible(nr))
			continue;
		if (!PagePoisoned(pfn_to_page(pfn)))
			mhp_violation(ctx,
				      "%s: offline, but the struct page of its last page is not poisoned, flags %#lx",
				      section_name(nr).s, pfn_to_page(pfn)->flags);
	}
}

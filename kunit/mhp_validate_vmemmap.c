// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of the virtual memmap: that it is mapped where it has to be and nowhere
 * else, and which pages are behind it.  Neither reads a struct page that may not
 * be there.
 */

#include <linux/bitmap.h>

#include "mhp_checks.h"

/* The pages whose struct pages are, in part, in a leaf */
static unsigned long first_pfn_of(const struct mhp_leaf *leaf)
{
	return (leaf->addr - (unsigned long)vmemmap) / sizeof(struct page);
}

static unsigned long last_pfn_of(const struct mhp_leaf *leaf)
{
	return (leaf->addr + leaf->size - 1 - (unsigned long)vmemmap) / sizeof(struct page);
}

/* Bytes of a leaf that are the memmap of pages [pfn, end_pfn) */
static unsigned long overlap(const struct mhp_leaf *leaf, unsigned long pfn, unsigned long end_pfn)
{
	unsigned long start = (unsigned long)pfn_to_page(pfn);
	unsigned long end = (unsigned long)pfn_to_page(end_pfn);

	start = max(start, leaf->addr);
	end = min(end, leaf->addr + leaf->size);
	return start < end ? end - start : 0;
}

struct mapping {
	struct mhp_ctx *ctx;
	unsigned long mapped;	/* bytes that have to be mapped, and are */
	unsigned long pfn;	/* a sub-section, */
	bool has_memmap;	/* and whether it has to be mapped */
	unsigned long stale_pfn;	/* absent pages whose memmap is mapped, */
	unsigned long stale_end;	/* as many as follow each other, */
	unsigned long stale_backing;	/* and the first page behind it */
};

/* Neighbours ask about the same sub-section, mostly. */
static bool has_memmap(struct mapping *mapping, unsigned long pfn)
{
	if (mapping->pfn != pfn) {
		mapping->pfn = pfn;
		mapping->has_memmap = mhp_has_memmap(pfn);
	}
	return mapping->has_memmap;
}

static void report_stale(struct mapping *mapping)
{
	if (!mapping->stale_end)
		return;
	mhp_violation(mapping->ctx,
		      "%s: absent, but the memmap of pfn %#lx-%#lx is still mapped, to pfn %#lx onwards",
		      section_name(pfn_to_section_nr(mapping->stale_pfn)).s, mapping->stale_pfn,
		      mapping->stale_end - 1, mapping->stale_backing);
	mapping->stale_end = 0;
}

/* Calls @fn for each mapping of several. */
static void call_units(const struct mhp_leaf *leaf, mhp_leaf_fn_t *fn, void *arg)
{
	struct mhp_leaf unit = *leaf;

	unit.size = leaf->unit;
	for (; unit.addr < leaf->addr + leaf->size; unit.addr += unit.unit) {
		fn(&unit, arg);
		unit.pfn += PHYS_PFN(unit.unit);
	}
}

static void mapping_unit(struct mhp_leaf *leaf, void *arg)
{
	unsigned long pfn = SUBSECTION_ALIGN_DOWN(first_pfn_of(leaf));
	const unsigned long last = last_pfn_of(leaf);
	struct mapping *mapping = arg;
	bool wanted = false;

	for (; pfn <= last; pfn += PAGES_PER_SUBSECTION) {
		if (!has_memmap(mapping, pfn))
			continue;
		wanted = true;
		mapping->mapped += overlap(leaf, pfn, pfn + PAGES_PER_SUBSECTION);
	}
	if (wanted)
		return;
	if (first_pfn_of(leaf) > mapping->stale_end) {
		report_stale(mapping);
		mapping->stale_pfn = first_pfn_of(leaf);
		mapping->stale_backing = leaf->pfn;
	}
	mapping->stale_end = last + 1;
}

/* Most often all of it has to be mapped. */
static void mapping_leaf(struct mhp_leaf *leaf, void *arg)
{
	const unsigned long first = SUBSECTION_ALIGN_DOWN(first_pfn_of(leaf));
	const unsigned long end = SUBSECTION_ALIGN_UP(last_pfn_of(leaf) + 1);
	struct mapping *mapping = arg;
	unsigned long pfn;

	for (pfn = first; pfn < end; pfn += PAGES_PER_SUBSECTION) {
		if (has_memmap(mapping, pfn))
			continue;
		call_units(leaf, mapping_unit, mapping);
		return;
	}
	mapping->mapped += overlap(leaf, first, end);
}

/* Names the sub-sections that are not mapped; slow. */
static void find_unmapped(struct mhp_ctx *ctx)
{
	unsigned long nr, pfn;

	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		for (pfn = section_nr_to_pfn(nr); pfn < section_nr_to_pfn(nr + 1);
		     pfn += PAGES_PER_SUBSECTION) {
			unsigned long bytes = 0;

			if (!mhp_has_memmap(pfn))
				continue;
			mhp_walk_memmap(pfn, pfn + PAGES_PER_SUBSECTION, mhp_count_leaf, &bytes);
			if (bytes < MHP_MEMMAP_BYTES(PAGES_PER_SUBSECTION))
				mhp_violation(ctx,
					      "%s: present, but only %lu of the %lu bytes of the memmap of pfn %#lx-%#lx are mapped",
					      section_name(nr).s, bytes,
					      MHP_MEMMAP_BYTES(PAGES_PER_SUBSECTION),
					      pfn, pfn + PAGES_PER_SUBSECTION - 1);
		}
	}
}

static unsigned long expected_bytes(void)
{
	unsigned long nr, pages = 0;

	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		struct mem_section *ms = __nr_to_section(nr);

		if (early_section(ms))
			pages += PAGES_PER_SECTION;
		else if (ms->usage)
			pages += PAGES_PER_SUBSECTION *
				 bitmap_weight(ms->usage->subsection_map,
					       SUBSECTIONS_PER_SECTION);
	}
	return MHP_MEMMAP_BYTES(pages);
}

/* The memmap of what is present is mapped, and of nothing else. */
void check_vmemmap_mapping(struct mhp_ctx *ctx)
{
	struct mapping mapping = { .ctx = ctx, .pfn = -1 };

	if (!mhp_memmap_can_be_walked())
		return;
	mhp_walk_whole_memmap(mapping_leaf, &mapping);
	report_stale(&mapping);
	if (mapping.mapped == expected_bytes())
		return;
	ctx->found->memmap_unsafe = true;
	find_unmapped(ctx);
}

static bool is_in_altmap(const struct vmem_altmap *altmap, unsigned long pfn)
{
	return pfn >= altmap->base_pfn + altmap->reserve &&
	       pfn < altmap->base_pfn + altmap->reserve + altmap->free;
}

/* What the memmap of pages [pfn, end_pfn) may be backed by */
struct home {
	struct mhp_ctx *ctx;
	unsigned long pfn;
	unsigned long end_pfn;
	struct vmem_altmap *altmap;
	bool bare;
	bool early;
	unsigned long backing;	/* a sub-section, */
	bool backing_online;	/* and whether it is online */
};

/* Sub-sections of one section can belong to several devices. */
static void look_up_extent(struct home *home, unsigned long pfn)
{
	struct mem_section *ms = __pfn_to_section(pfn);

	if (early_section(ms) || online_section(ms)) {
		home->pfn = SECTION_ALIGN_DOWN(pfn);
		home->end_pfn = home->pfn + PAGES_PER_SECTION;
	} else {
		home->pfn = SUBSECTION_ALIGN_DOWN(pfn);
		home->end_pfn = home->pfn + PAGES_PER_SUBSECTION;
	}
}

static void look_up_home(struct home *home, unsigned long pfn)
{
	struct memory_block *mem = find_memory_block(pfn_to_section_nr(pfn));
	struct dev_pagemap *pgmap = NULL;

	look_up_extent(home, pfn);
	home->early = early_section(__pfn_to_section(pfn));
	home->bare = mhp_is_bare(pfn);
	home->altmap = NULL;
	if (mem) {
		home->altmap = mem->altmap;
		put_device(&mem->dev);
	} else if (!home->bare) {
		pgmap = get_dev_pagemap(pfn, NULL);
		if (pgmap)
			home->altmap = pgmap_altmap(pgmap);
		put_dev_pagemap(pgmap);
	}
}

/* Neighbours are of the same sub-section, mostly. */
static struct page *online_page(struct home *home, unsigned long pfn)
{
	if (home->backing != SUBSECTION_ALIGN_DOWN(pfn)) {
		home->backing = SUBSECTION_ALIGN_DOWN(pfn);
		home->backing_online = pfn_to_online_page(pfn);
	}
	return home->backing_online ? pfn_to_page(pfn) : NULL;
}

static void backing_unit(struct mhp_leaf *leaf, void *arg)
{
	const unsigned long pfn = first_pfn_of(leaf), nr = pfn_to_section_nr(pfn);
	struct home *home = arg;
	struct page *page;

	if (home->altmap) {
		if (!is_in_altmap(home->altmap, leaf->pfn))
			mhp_violation(home->ctx,
				      "%s: the memmap of pfn %#lx is in pfn %#lx, outside of its altmap (pfn %#lx-%#lx)",
				      section_name(nr).s, pfn, leaf->pfn,
				      home->altmap->base_pfn + home->altmap->reserve,
				      home->altmap->base_pfn + home->altmap->reserve +
				      home->altmap->free - 1);
		return;
	}
	/* Whether it may be there, check_vmemmap_marks() tells. */
	if (!home->early && mhp_is_hosted_by(pfn, leaf->pfn))
		return;
	/* A test that adds sections itself may bring an altmap, and does not tell. */
	if (home->bare && mhp_is_bare(leaf->pfn))
		return;
	page = online_page(home, leaf->pfn);
	if (!page)
		mhp_violation(home->ctx,
			      "%s: the memmap of pfn %#lx is in pfn %#lx, which is not online",
			      section_name(nr).s, pfn, leaf->pfn);
	else if (PageBuddy(page))
		mhp_violation(home->ctx, "%s: the memmap of pfn %#lx is in pfn %#lx, which is free",
			      section_name(nr).s, pfn, leaf->pfn);
}

/* In pieces of one home each */
static void backing_leaf(struct mhp_leaf *leaf, void *arg)
{
	const unsigned long end = leaf->addr + leaf->size;
	struct mhp_leaf piece = *leaf;
	struct home *home = arg;

	while (piece.addr < end) {
		unsigned long pfn = first_pfn_of(&piece), home_end;

		if (pfn < home->pfn || pfn >= home->end_pfn)
			look_up_home(home, pfn);
		home_end = (unsigned long)pfn_to_page(home->end_pfn);
		piece.size = min(ALIGN(home_end - piece.addr, piece.unit), end - piece.addr);
		call_units(&piece, backing_unit, home);
		piece.addr += piece.size;
		piece.pfn += PHYS_PFN(piece.size);
	}
}

/* The memmap is in pages that are in use, or in the altmap it was given. */
void check_vmemmap_backing(struct mhp_ctx *ctx)
{
	struct home home = { .ctx = ctx, .backing = -1 };

	if (mhp_memmap_can_be_walked())
		mhp_walk_whole_memmap(backing_leaf, &home);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of memory that hosts its own memmap, see memmap_host_nr_pages():
 *
 *	| host                     | host                     |
 *	| VVVV | pages of the host | VVVV | pages of the host |
 *
 * V is PageVmemmap().  Whether a host holds its memmap, the page tables tell.
 */

#include <linux/page-flags.h>

#include "mhp_checks.h"

#ifdef CONFIG_MHP_SELF_HOSTED
/**
 * mhp_is_hosted_by() - whether a page's memmap is where its host would have it
 * @pfn: the page
 * @backing: a page that its struct page is in; it can reach into a second one
 */
bool mhp_is_hosted_by(unsigned long pfn, unsigned long backing)
{
	const unsigned long host = memmap_host_nr_pages();
	unsigned long start;

	if (!host || early_section(__pfn_to_section(pfn)))
		return false;
	start = ALIGN_DOWN(pfn, host);
	return backing >= start + PHYS_PFN(MHP_MEMMAP_BYTES(pfn - start)) &&
	       backing <= start + PHYS_PFN(MHP_MEMMAP_BYTES(pfn - start + 1) - 1);
}

static void note_backing(struct mhp_leaf *leaf, void *arg)
{
	*(unsigned long *)arg = leaf->pfn;
}

static bool is_host(unsigned long pfn)
{
	unsigned long backing = -1;

	mhp_walk_memmap(pfn, pfn + 1, note_backing, &backing);
	return backing != -1 && mhp_is_hosted_by(pfn, backing);
}

static struct vmem_altmap *block_altmap(unsigned long pfn)
{
	struct memory_block *mem = find_memory_block(pfn_to_section_nr(pfn));
	struct vmem_altmap *altmap = mem ? mem->altmap : NULL;

	if (mem)
		put_device(&mem->dev);
	return altmap;
}

/* A test may put an altmap of its own there, which nobody marks. */
static bool is_altmap_of_test(unsigned long pfn)
{
	return mhp_is_bare(pfn) && !__pfn_to_section(pfn)->usage->nr_vmemmap_pages;
}

static void check_host(struct mhp_ctx *ctx, unsigned long start, unsigned long nr_pages)
{
	const unsigned long end = start + PFN_UP(MHP_MEMMAP_BYTES(nr_pages));
	unsigned long pfn;

	for (pfn = start; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (!PagePoisoned(page) && PageVmemmap(page) && page_count(page) == 1)
			continue;
		mhp_violation(ctx, "%s: pfn %#lx holds memmap of its own, but its struct page has flags %#lx mapping %p",
			      section_name(pfn_to_section_nr(pfn)).s, pfn, page->flags,
			      page->mapping);
		return;
	}
	if (!online_section_nr(pfn_to_section_nr(end)))
		return;
	if (!PagePoisoned(pfn_to_page(end)) && PageVmemmap(pfn_to_page(end)))
		mhp_violation(ctx, "%s: pfn %#lx holds no memmap, but is marked",
			      section_name(pfn_to_section_nr(end)).s, end);
}

/* What holds memmap of its own host is marked, online or not, and nothing else is. */
void check_vmemmap_marks(struct mhp_ctx *ctx)
{
	const unsigned long host = memmap_host_nr_pages();
	unsigned long nr, pfn;

	if (!host || !mhp_memmap_can_be_walked())
		return;
	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		pfn = section_nr_to_pfn(nr);
		if (early_section(__nr_to_section(nr)) || !IS_ALIGNED(pfn, host))
			continue;
		if (block_altmap(pfn) || is_altmap_of_test(pfn) ||
		    mhp_is_device_pfn(pfn))
			continue;
		if (is_host(pfn))
			check_host(ctx, pfn, host);
		else if (online_section_nr(nr) && !PagePoisoned(pfn_to_page(pfn)) &&
			 PageVmemmap(pfn_to_page(pfn)))
			mhp_violation(ctx, "%s: pfn %#lx holds no memmap, but is marked",
				      section_name(nr).s, pfn);
	}
}
#else
bool mhp_is_hosted_by(unsigned long pfn, unsigned long backing)
{
	return false;
}

void check_vmemmap_marks(struct mhp_ctx *ctx)
{
}
#endif /* CONFIG_MHP_SELF_HOSTED */

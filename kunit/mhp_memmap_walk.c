// SPDX-License-Identifier: GPL-2.0
/*
 * Where the virtual memmap is, as the page tables of the kernel have it.
 *
 *	vmemmap	| sec 0 | sec 1 |  ..  | sec n |  ..  |
 *		  mapped  mapped  none   mapped  none
 *	pages	  boot    boot           page allocator, or the altmap
 */

#include <linux/pgtable.h>

#include "mhp_checks.h"

/**
 * mhp_memmap_can_be_walked() - whether page tables tell where the memmap is
 *
 * The hash MMU of powerpc keeps the vmemmap out of them: the walks below find
 * nothing there.
 */
bool mhp_memmap_can_be_walked(void)
{
#ifdef CONFIG_PPC64
	return radix_enabled();
#else
	return true;
#endif
}

struct walk {
	mhp_leaf_fn_t *fn;
	void *arg;
};

/* A leaf at any level has the layout of a PTE on the architectures we run on. */
static void found_leaf(struct walk *walk, unsigned long addr, unsigned long size, pte_t pte)
{
	const unsigned long start = ALIGN_DOWN(addr, size);
	struct mhp_leaf leaf = {
		.addr = start, .size = size, .unit = size, .pfn = pte_pfn(pte),
	};

	walk->fn(&leaf, walk->arg);
}

/* How many entries from @pte on map pages that follow each other, up to @max */
static unsigned long run_length(pte_t *pte, unsigned long max)
{
	pte_t want = ptep_get(pte);
	unsigned long nr = 0;

	do {
		want = pte_next_pfn(want);
	} while (++nr < max && pte_same(ptep_get(pte + nr), want));
	return nr;
}

/* There are very many of these, so those that follow each other are one leaf. */
static void walk_ptes(struct walk *walk, pmd_t *pmd, unsigned long addr, unsigned long end)
{
	pte_t *pte = pte_offset_kernel(pmd, addr);
	unsigned long nr;

	for (; addr < end; addr += nr * PAGE_SIZE, pte += nr) {
		struct mhp_leaf leaf = { .addr = addr, .unit = PAGE_SIZE };
		pte_t entry = ptep_get(pte);

		nr = 1;
		if (!pte_present(entry))
			continue;
		nr = run_length(pte, (end - addr) / PAGE_SIZE);
		leaf.size = nr * PAGE_SIZE;
		leaf.pfn = pte_pfn(entry);
		walk->fn(&leaf, walk->arg);
	}
}

static void walk_pmds(struct walk *walk, pud_t *pud, unsigned long addr, unsigned long end)
{
	pmd_t *pmd = pmd_offset(pud, addr);
	unsigned long next;

	for (; addr < end; addr = next, pmd++) {
		next = pmd_addr_end(addr, end);
		if (!pmd_present(*pmd))
			continue;
		if (pmd_leaf(*pmd))
			found_leaf(walk, addr, PMD_SIZE, *(pte_t *)pmd);
		else
			walk_ptes(walk, pmd, addr, next);
	}
}

static void walk_puds(struct walk *walk, p4d_t *p4d, unsigned long addr, unsigned long end)
{
	pud_t *pud = pud_offset(p4d, addr);
	unsigned long next;

	for (; addr < end; addr = next, pud++) {
		next = pud_addr_end(addr, end);
		if (!pud_present(*pud))
			continue;
		if (pud_leaf(*pud))
			found_leaf(walk, addr, PUD_SIZE, *(pte_t *)pud);
		else
			walk_pmds(walk, pud, addr, next);
	}
}

static void walk_p4ds(struct walk *walk, pgd_t *pgd, unsigned long addr, unsigned long end)
{
	p4d_t *p4d = p4d_offset(pgd, addr);
	unsigned long next;

	for (; addr < end; addr = next, p4d++) {
		next = p4d_addr_end(addr, end);
		if (p4d_present(*p4d))
			walk_puds(walk, p4d, addr, next);
	}
}

/**
 * mhp_walk_memmap() - call a function for what is mapped of the memmap
 * @pfn: first page whose struct page is looked for
 * @end_pfn: page after the last one
 * @fn: called for mappings at whatever level, several at once where it can be
 * @arg: its last argument
 *
 * The caller holds mem_hotplug_lock: these page tables change under it only.
 */
void mhp_walk_memmap(unsigned long pfn, unsigned long end_pfn, mhp_leaf_fn_t *fn, void *arg)
{
	struct walk walk = { .fn = fn, .arg = arg };
	unsigned long addr = (unsigned long)pfn_to_page(pfn) & PAGE_MASK;
	unsigned long end = PAGE_ALIGN((unsigned long)pfn_to_page(end_pfn));
	unsigned long next;
	pgd_t *pgd;

	for (; addr < end; addr = next) {
		pgd = pgd_offset_k(addr);
		next = pgd_addr_end(addr, end);
		if (pgd_present(*pgd))
			walk_p4ds(&walk, pgd, addr, next);
	}
}

/**
 * mhp_walk_whole_memmap() - mhp_walk_memmap() of all pages there can be
 * @fn: called for mappings at whatever level, several at once where it can be
 * @arg: its last argument
 */
void mhp_walk_whole_memmap(mhp_leaf_fn_t *fn, void *arg)
{
	mhp_walk_memmap(0, PHYS_PFN(PHYSMEM_END) + 1, fn, arg);
}

/**
 * mhp_count_leaf() - add the bytes of mappings up; for mhp_walk_memmap()
 * @leaf: the mappings
 * @arg: an unsigned long
 */
void mhp_count_leaf(struct mhp_leaf *leaf, void *arg)
{
	*(unsigned long *)arg += leaf->size;
}

/**
 * mhp_mapped_memmap() - how much of the vmemmap is mapped
 *
 * Return: bytes; 0 where the page tables do not tell.
 */
unsigned long mhp_mapped_memmap(void)
{
	unsigned long bytes = 0;

	if (mhp_memmap_can_be_walked())
		mhp_walk_whole_memmap(mhp_count_leaf, &bytes);
	return bytes;
}

struct backing {
	unsigned long addr;
	unsigned long pfn;
	unsigned long unit;
	bool found;
};

static void leaf_of_addr(struct mhp_leaf *leaf, void *arg)
{
	struct backing *backing = arg;

	if (backing->addr - leaf->addr >= leaf->size)
		return;
	backing->pfn = leaf->pfn + PHYS_PFN(backing->addr - leaf->addr);
	backing->unit = leaf->unit;
	backing->found = true;
}

/**
 * mhp_memmap_backing() - where a struct page really is
 * @pfn: whose struct page
 * @backing: receives the page frame that holds the beginning of it
 *
 * The page tables say it, without an access to the struct page.
 *
 * Return: whether there is one.
 */
bool mhp_memmap_backing(unsigned long pfn, unsigned long *backing)
{
	struct backing found = { .addr = (unsigned long)pfn_to_page(pfn) };

	get_online_mems();
	mhp_walk_memmap(pfn, pfn + 1, leaf_of_addr, &found);
	put_online_mems();
	*backing = found.pfn;
	return found.found;
}

struct placed {
	unsigned long start;	/* address of the first struct page */
	unsigned long end;	/* and behind the last */
	unsigned long pfn;	/* where the first should be */
	unsigned long size;	/* bytes of memmap that are in their place */
};

static void leaf_in_place(struct mhp_leaf *leaf, void *arg)
{
	struct placed *placed = arg;
	/* A leaf may be larger than what is asked for. */
	unsigned long from = max(leaf->addr, placed->start);
	unsigned long to = min(leaf->addr + leaf->size, placed->end);

	if (leaf->pfn + PHYS_PFN(from - leaf->addr) == placed->pfn + PHYS_PFN(from - placed->start))
		placed->size += to - from;
}

/**
 * mhp_memmap_is_at() - whether struct pages are in page frames that follow each other
 * @pfn: whose struct pages; the first begins a page of memmap
 * @nr_pages: how many; their struct pages are whole pages
 * @backing: the first of the page frames
 */
bool mhp_memmap_is_at(unsigned long pfn, unsigned long nr_pages, unsigned long backing)
{
	struct placed placed = {
		.start = (unsigned long)pfn_to_page(pfn),
		.end = (unsigned long)pfn_to_page(pfn + nr_pages),
		.pfn = backing,
	};

	get_online_mems();
	mhp_walk_memmap(pfn, pfn + nr_pages, leaf_in_place, &placed);
	put_online_mems();
	return placed.size == placed.end - placed.start;
}

/**
 * mhp_memmap_is_stale() - whether a struct page is mapped for nothing
 * @pfn: whose struct page; the page is not there
 *
 * What maps it may map struct pages of others as well, and stays for these: a leaf
 * has the memmap of several sections where they are small.
 */
bool mhp_memmap_is_stale(unsigned long pfn)
{
	struct backing found = { .addr = (unsigned long)pfn_to_page(pfn) };
	unsigned long first, end;
	bool stale;

	get_online_mems();
	mhp_walk_memmap(pfn, pfn + 1, leaf_of_addr, &found);
	stale = found.found;
	if (stale) {
		first = ALIGN_DOWN(found.addr, found.unit) - (unsigned long)vmemmap;
		end = DIV_ROUND_UP(first + found.unit, sizeof(struct page));
		for (pfn = SUBSECTION_ALIGN_DOWN(first / sizeof(struct page)); pfn < end && stale;
		     pfn += PAGES_PER_SUBSECTION)
			stale = !mhp_has_memmap(pfn);
	}
	put_online_mems();
	return stale;
}

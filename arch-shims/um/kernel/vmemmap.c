// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual memmap: struct pages that are mapped where pfn_to_page() expects
 * them, and really unmapped again when their section goes.
 */

#include <linux/bootmem_info.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include <hotplug.h>
#include <mem_user.h>
#include <os.h>

static pmd_t *vmemmap_pmd(unsigned long addr)
{
	pgd_t *pgd = pgd_offset_k(addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (!pgd_present(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (!p4d_present(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (!pud_present(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	return pmd_present(*pmd) ? pmd : NULL;
}

static pte_t *vmemmap_pte(unsigned long addr)
{
	pmd_t *pmd = vmemmap_pmd(addr);
	pte_t *pte = pmd ? pte_offset_kernel(pmd, addr) : NULL;

	return pte && pte_present(*pte) ? pte : NULL;
}

/* Pages from @addr on that are not mapped yet and contiguous in memory, in bytes. */
static unsigned long run_length(unsigned long addr, unsigned long end)
{
	unsigned long pfn = pte_pfn(*vmemmap_pte(addr)), len;

	for (len = PAGE_SIZE; addr + len < end; len += PAGE_SIZE) {
		pte_t *pte = vmemmap_pte(addr + len);

		if (!pte_newpage(*pte) || pte_pfn(*pte) != pfn + (len >> PAGE_SHIFT))
			break;
	}
	return len;
}

/*
 * The host's mappings follow the page tables only when they are synced, which
 * for a kernel address is otherwise left to the fault that comes of it.  Doing
 * it at once tells whether the host can do it at all (see vm.max_map_count).
 * um_tlb_sync() would go page by page; this takes as few calls as it can.
 */
static int vmemmap_map(unsigned long start, unsigned long end)
{
	unsigned long addr, len, page;

	for (addr = start; addr < end; addr += len) {
		pte_t *pte = vmemmap_pte(addr);
		unsigned long long off;
		int fd, err;

		len = PAGE_SIZE;
		if (!pte_newpage(*pte))
			continue;
		len = run_length(addr, end);
		fd = phys_mapping(PFN_PHYS(pte_pfn(*pte)), &off);
		err = os_map_populated((void *)addr, fd, off, len, physmem_is_kept());
		if (err)
			return err;
		for (page = addr; page < addr + len; page += PAGE_SIZE) {
			pte = vmemmap_pte(page);
			*pte = pte_mkuptodate(*pte);
		}
	}
	return 0;
}

static pte_t *vmemmap_pte_alloc(unsigned long addr, int node)
{
	pgd_t *pgd = vmemmap_pgd_populate(addr, node);
	p4d_t *p4d = pgd ? vmemmap_p4d_populate(pgd, addr, node) : NULL;
	pud_t *pud = p4d ? vmemmap_pud_populate(p4d, addr, node) : NULL;
	pmd_t *pmd = pud ? vmemmap_pmd_populate(pud, addr, node) : NULL;

	return pmd ? pte_offset_kernel(pmd, addr) : NULL;
}

/*
 * Pages that follow each other in memory, as many as there are to be had up to
 * @max: the host needs one mapping for all of them, and one for each otherwise.
 */
static struct page *alloc_run(int node, unsigned long max, unsigned long *nr)
{
	int order = min_t(int, ilog2(max), MAX_PAGE_ORDER);
	struct page *page = NULL;

	for (; order > 0 && !page; order--) {
		page = alloc_pages_node(node, GFP_NOWAIT | __GFP_NOWARN, order);
		*nr = 1UL << order;
	}
	if (page)
		split_page(page, ilog2(*nr));
	return page;
}

/* Each page of a run stands for itself; those that are not needed go back. */
static int populate_run(unsigned long addr, int node, struct page *page, unsigned long nr)
{
	struct page *end = page + nr;
	int err = 0;

	for (; page < end; page++, addr += PAGE_SIZE) {
		pte_t *pte = err ? NULL : vmemmap_pte_alloc(addr, node);

		if (!pte)
			err = -ENOMEM;
		if (pte && pte_none(*pte))
			set_pte_at(&init_mm, addr, pte, pfn_pte(page_to_pfn(page), PAGE_KERNEL));
		else
			__free_page(page);
	}
	return err;
}

/* As vmemmap_populate_basepages(), in runs where that is possible. */
static int populate_runs(unsigned long start, unsigned long end, int node)
{
	unsigned long addr, nr;
	int err = 0;

	for (addr = start; addr < end && !err; addr += nr << PAGE_SHIFT) {
		struct page *page = alloc_run(node, (end - addr) >> PAGE_SHIFT, &nr);

		if (!page)
			return vmemmap_populate_basepages(addr, end, node, NULL);
		err = populate_run(addr, node, page, nr);
	}
	return err;
}

/**
 * vmemmap_populate() - back a range of the vmemmap with memory
 * @start: first byte, an address in the vmemmap
 * @end: first byte after it
 * @node: where to allocate from, unless @altmap is given
 * @altmap: pages set aside for the memmap, or %NULL
 *
 * Base pages only: the host has none larger to offer for a shared mapping.
 *
 * Return: 0, or -ENOMEM, or what the host's mmap() failed with.  What was
 * populated before an error is left for the caller to vmemmap_free().
 */
int __meminit vmemmap_populate(unsigned long start, unsigned long end, int node,
			       struct vmem_altmap *altmap)
{
	int err;

	/* A sync stops at the first error: do not lose others' changes to ours. */
	err = um_tlb_sync(&init_mm);
	if (err)
		return err;

	if (altmap || !slab_is_available())
		err = vmemmap_populate_basepages(start, end, node, altmap);
	else
		err = populate_runs(start, end, node);
	if (err)
		return err;

	return vmemmap_map(start, end) ?: um_tlb_sync(&init_mm);
}

#ifdef CONFIG_MEMORY_HOTPLUG
/* What memblock gave out is Reserved. */
static void free_boot_or_buddy(struct page *page)
{
	if (PageReserved(page))
		free_reserved_page(page);
	else
		__free_page(page);
}

static void free_vmemmap_page(struct page *page, struct vmem_altmap *altmap)
{
	if (altmap)
		vmem_altmap_free(altmap, 1);
	else
		free_boot_or_buddy(page);
}

static void vmemmap_sync(unsigned long start, unsigned long end)
{
	um_tlb_mark_sync(&init_mm, start, end);
	um_tlb_sync(&init_mm);
}

/* Whether a struct page of the range describes a page that backs the range. */
static bool hosts_itself(unsigned long start, unsigned long end)
{
	unsigned long addr;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		pte_t *pte = vmemmap_pte(addr);
		unsigned long page = pte ? (unsigned long)pte_page(*pte) : 0;

		if (page >= start && page < end)
			return true;
	}
	return false;
}

/* Whether all pages of the range are mapped, and follow each other in memory. */
static bool is_one_run(unsigned long start, unsigned long end)
{
	unsigned long addr, pfn = 0;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		pte_t *pte = vmemmap_pte(addr);

		if (!pte || (addr > start && pte_pfn(*pte) != pfn + 1))
			return false;
		pfn = pte_pfn(*pte);
	}
	return true;
}

/*
 * When memory is kept, the pages of a section's memmap are likely to be one
 * again.  Those of a part of a section would only push others out.
 */
static int vmemmap_unmap(unsigned long start, unsigned long end)
{
	const unsigned long whole = PAGES_PER_SECTION * sizeof(struct page);
	unsigned long long off;
	int fd;

	if (!physmem_is_kept() || end - start < whole || !is_one_run(start, end))
		return os_unmap_memory((void *)start, end - start);
	fd = phys_mapping(PFN_PHYS(pte_pfn(*vmemmap_pte(start))), &off);
	return os_put_aside((void *)start, fd, off, end - start);
}

/* A table without entries maps nothing, and the host has nothing to unmap. */
static void free_empty_table(unsigned long addr)
{
	pmd_t *pmd = vmemmap_pmd(addr);
	struct page *table;
	pte_t *pte;
	int i;

	if (!pmd)
		return;
	pte = pte_offset_kernel(pmd, addr & PMD_MASK);
	for (i = 0; i < PTRS_PER_PTE; i++)
		if (!pte_none(pte[i]))
			return;
	table = pmd_page(*pmd);
	pmd_clear(pmd);
	pmd_mkuptodate(*pmd);
	free_boot_or_buddy(table);
}

/**
 * vmemmap_free() - unmap a range of the vmemmap and free what backs it
 * @start: first byte, an address in the vmemmap
 * @end: first byte after it
 * @altmap: what the range was populated from, or %NULL
 *
 * Pages that were never populated are passed over.  All is unmapped before any
 * of it is freed, so that a struct page that is read too late faults instead of
 * being read from a mapping that the host still holds.  A range that hosts its
 * own memmap is unmapped page by page, each before the next one is looked at.
 * Page tables that have become empty are freed; directories are kept.
 */
void __ref vmemmap_free(unsigned long start, unsigned long end,
			struct vmem_altmap *altmap)
{
	bool at_once = altmap || !hosts_itself(start, end);
	unsigned long addr;

	/*
	 * A host that has no mapping left may be unable to split one.  Then the
	 * pages stay readable here until the next section replaces them.
	 */
	if (at_once && vmemmap_unmap(start, end))
		pr_err("the host does not unmap the memmap at %#lx-%#lx\n",
		       start, end - 1);

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		pte_t *pte = vmemmap_pte(addr);
		struct page *page;

		if (!pte)
			continue;
		page = pte_page(*pte);
		pte_clear(&init_mm, addr, pte);
		if (at_once)
			*pte = pte_mkuptodate(*pte);
		else
			vmemmap_sync(addr, addr + PAGE_SIZE);
		free_vmemmap_page(page, altmap);
	}
	for (addr = start; addr < end; addr = pmd_addr_end(addr, end))
		free_empty_table(addr);
}
#endif /* CONFIG_MEMORY_HOTPLUG */

// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual memmap: struct pages that are mapped where pfn_to_page() expects
 * them, and really unmapped again when their section goes.
 */

#include <linux/bootmem_info.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include <hotplug.h>
#include <mem_user.h>
#include <os.h>

static pte_t *vmemmap_pte(unsigned long addr)
{
	pgd_t *pgd = pgd_offset_k(addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;

	if (!pgd_present(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (!p4d_present(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	if (!pud_present(*pud))
		return NULL;
	pmd = pmd_offset(pud, addr);
	if (!pmd_present(*pmd))
		return NULL;
	pte = pte_offset_kernel(pmd, addr);
	return pte_present(*pte) ? pte : NULL;
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
		err = os_map_populated((void *)addr, fd, off, len);
		if (err)
			return err;
		for (page = addr; page < addr + len; page += PAGE_SIZE) {
			pte = vmemmap_pte(page);
			*pte = pte_mkuptodate(*pte);
		}
	}
	return 0;
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

	err = vmemmap_populate_basepages(start, end, node, altmap);
	if (err)
		return err;

	return vmemmap_map(start, end) ?: um_tlb_sync(&init_mm);
}

#ifdef CONFIG_MEMORY_HOTPLUG
static void free_vmemmap_page(struct page *page, struct vmem_altmap *altmap)
{
	if (altmap)
		vmem_altmap_free(altmap, 1);
	else if (PageReserved(page))
		free_reserved_page(page);
	else
		__free_page(page);
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
 * Page tables are kept, as they are for vmalloc.
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
	if (at_once && os_unmap_memory((void *)start, end - start))
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
}
#endif /* CONFIG_MEMORY_HOTPLUG */

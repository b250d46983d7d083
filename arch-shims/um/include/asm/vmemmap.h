/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __UM_VMEMMAP_H
#define __UM_VMEMMAP_H

/*
 * With a sparse memory model the kernel's address space is, upwards:
 *
 *	uml_physmem	direct map, 1 << MAX_PHYSMEM_BITS bytes: boot memory,
 *			then whatever is hot-added
 *	VMEMMAP_START	the memmap of all of it, one struct page for each page
 *	VMEMMAP_END	VMALLOC_START
 *
 * VMEMMAP_START is the struct page of pfn 0.  Both ends are aligned to what an
 * entry of the top-level table maps, so that no page table serves two regions.
 */
#ifdef CONFIG_SPARSEMEM_VMEMMAP

#include <linux/align.h>
#include <asm/sparsemem.h>

#define VMEMMAP_START	ALIGN(uml_physmem + (1UL << MAX_PHYSMEM_BITS), PGDIR_SIZE)
#define VMEMMAP_SIZE	ALIGN((1UL << (MAX_PHYSMEM_BITS - PAGE_SHIFT)) * \
			      sizeof(struct page), PGDIR_SIZE)
#define VMEMMAP_END	(VMEMMAP_START + VMEMMAP_SIZE)

#define vmemmap		((struct page *)VMEMMAP_START)

/* Any page of an altmap will do; what asks is in mm-patches/. */
#define arch_memmap_unit arch_memmap_unit
static inline unsigned long arch_memmap_unit(void)
{
	return PAGE_SIZE;
}

#endif /* CONFIG_SPARSEMEM_VMEMMAP */

#endif /* __UM_VMEMMAP_H */

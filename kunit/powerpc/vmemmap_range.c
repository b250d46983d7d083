// SPDX-License-Identifier: GPL-2.0
/*
 * Looking at virtual memmap; see vmemmap_range.h.
 *
 * That something is not mapped any more is shown by a fault: on hash there are
 * no page tables to look into.  What is mapped there, and to where, is in
 * vmemmap_list.
 */

#include <linux/mm.h>
#include <linux/uaccess.h>
#include <asm/mmu.h>
#include <asm/pgalloc.h>

#include "fake_section.h"
#include "mhp_validate.h"
#include "vmemmap_range.h"

/**
 * vmemmap_range_far_away() - a physical address far above all RAM
 *
 * Nothing else is in the page tables that would map it or its memmap, and with 4K
 * pages hash maps less than radix does.
 */
u64 vmemmap_range_far_away(void)
{
	return 1ULL << ((radix_enabled() ? MAX_PHYSMEM_BITS : H_MAX_PHYSMEM_BITS) - 2);
}

/**
 * vmemmap_range_unit() - how much memmap is mapped at once, at least
 */
unsigned long vmemmap_range_unit(void)
{
	return radix_enabled() ? PAGE_SIZE : 1UL << mmu_psize_defs[mmu_vmemmap_psize].shift;
}

/**
 * vmemmap_range_faults() - whether an address is not mapped
 * @addr: virtual; of the linear mapping, too
 */
bool vmemmap_range_faults(unsigned long addr)
{
	unsigned long word;

	return copy_from_kernel_nofault(&word, (void *)addr, sizeof(word));
}

/**
 * vmemmap_range_expect_mapped() - every page of it is mapped, or none
 * @test: the running case
 * @start: virtual
 * @size: how much
 * @mapped: which of the two
 */
void vmemmap_range_expect_mapped(struct kunit *test, unsigned long start, unsigned long size,
				 bool mapped)
{
	unsigned long addr;

	for (addr = start; addr < start + size; addr += PAGE_SIZE)
		KUNIT_EXPECT_EQ_MSG(test, !vmemmap_range_faults(addr), mapped, "byte %#lx of %#lx",
				    addr - start, size);
}

/**
 * vmemmap_range_expect_freed() - all has been given back
 * @test: the running case
 * @before: fake_free_pages() before it was taken, in pages
 *
 * On radix, PTE and PMD tables are cut out of a page each, which is kept until
 * it is used up: another one may be in use by now.
 */
void vmemmap_range_expect_freed(struct kunit *test, long before)
{
	const long taken = before - (long)fake_free_pages(), kept = radix_enabled() ? 2 : 0;

	KUNIT_EXPECT_LE(test, taken, kept);
	KUNIT_EXPECT_GE(test, taken, -kept);
}

/**
 * vmemmap_range_backing() - the page that holds the memmap at an address
 * @test: the running case; ends when nothing is mapped there
 * @addr: virtual
 */
struct page *vmemmap_range_backing(struct kunit *test, unsigned long addr)
{
	struct vmemmap_backing *backing;
	unsigned long pfn;

	if (radix_enabled()) {
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(page_to_pfn((struct page *)addr), &pfn));
		return pfn_to_page(pfn);
	}
	for (backing = vmemmap_list; backing; backing = backing->list)
		if (addr - backing->virt_addr < vmemmap_range_unit())
			return pfn_to_page(PHYS_PFN(backing->phys + addr - backing->virt_addr));
	KUNIT_FAIL_AND_ABORT(test, "%#lx is not mapped", addr);
	return NULL;
}

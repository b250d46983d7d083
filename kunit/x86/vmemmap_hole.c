// SPDX-License-Identifier: GPL-2.0
/*
 * The hole in the virtual memmap; see vmemmap_hole.h.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <asm/pgtable_types.h>
#include <asm/set_memory.h>

#include "fake_section.h"
#include "vmemmap_hole.h"

/*
 * 512 GiB of virtual memmap above that of address 0: with five levels that is
 * another P4D entry than boot memory's, with four another PGD entry.
 */
#define HOLE_PHYS	(SZ_512G / sizeof(struct page) * PAGE_SIZE)

/* What a case uses, at most; left overs are looked for there. */
#define HOLE_SIZE	(2UL * PUD_SIZE)

unsigned long hole_start(void)
{
	return ALIGN((unsigned long)pfn_to_page(PHYS_PFN(HOLE_PHYS)), PUD_SIZE);
}

/**
 * hole_init() - a suite's init: the hole is empty
 * @test: the case that is about to run
 *
 * Return: 0.
 */
int hole_init(struct kunit *test)
{
	unsigned long start = hole_start();

	/* What is allocated for good does not count: caches, the last line of the log. */
	hole_populate_base(test, start, PAGE_SIZE, NULL);
	hole_free(start, PAGE_SIZE, NULL);
	fake_free_pages();
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start));
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(start + PUD_SIZE));
	return 0;
}

/**
 * hole_exit() - a suite's exit: the hole is empty again
 * @test: the case that ran
 *
 * What a case that failed has left is not freed: where the memory came from
 * cannot be told.
 */
void hole_exit(struct kunit *test)
{
	unsigned long addr;

	for (addr = hole_start(); addr < hole_start() + HOLE_SIZE; addr += PUD_SIZE)
		KUNIT_EXPECT_FALSE_MSG(test, hole_has_pmd_table(addr),
				       "page tables for %#lx stay", addr);
}

void hole_populate_huge(struct kunit *test, unsigned long start, unsigned long size,
			struct vmem_altmap *altmap)
{
	KUNIT_ASSERT_EQ(test, vmemmap_populate_hugepages(start, start + size, 0, altmap), 0);
}

void hole_populate_base(struct kunit *test, unsigned long start, unsigned long size,
			struct vmem_altmap *altmap)
{
	KUNIT_ASSERT_EQ(test, vmemmap_populate_basepages(start, start + size, 0, altmap), 0);
}

void hole_free(unsigned long start, unsigned long size, struct vmem_altmap *altmap)
{
	vmemmap_free(start, start + size, altmap);
}

static void free_altmap_pages(void *arg)
{
	struct vmem_altmap *altmap = arg;

	__free_pages(pfn_to_page(altmap->base_pfn), order_base_2(altmap->free));
}

/**
 * hole_altmap() - an altmap over pages of the system
 * @test: the running case, at whose end the pages are freed
 * @order: how many pages, aligned to as many
 */
struct vmem_altmap *hole_altmap(struct kunit *test, unsigned int order)
{
	struct vmem_altmap *altmap = kunit_kmalloc(test, sizeof(*altmap), GFP_KERNEL);
	struct page *page = alloc_pages(GFP_KERNEL, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	if (!altmap)
		__free_pages(page, order);
	KUNIT_ASSERT_NOT_NULL(test, altmap);
	memcpy(altmap, &(struct vmem_altmap) {
		.base_pfn = page_to_pfn(page),
		.end_pfn = page_to_pfn(page) + (1UL << order) - 1,
		.free = 1UL << order,
	}, sizeof(*altmap));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_altmap_pages, altmap), 0);
	return altmap;
}

/**
 * hole_level() - how an address is mapped
 * @addr: it
 *
 * Return: PG_LEVEL_4K, PG_LEVEL_2M or PG_LEVEL_1G; PG_LEVEL_NONE when it is not.
 */
unsigned int hole_level(unsigned long addr)
{
	unsigned int level;
	pte_t *pte = lookup_address(addr, &level);

	return pte && pte_present(*pte) ? level : PG_LEVEL_NONE;
}

/**
 * hole_backing() - the page frame behind an address
 * @addr: it is mapped
 */
unsigned long hole_backing(unsigned long addr)
{
	return PHYS_PFN(slow_virt_to_phys((void *)addr));
}

static pud_t *pud_of(unsigned long addr)
{
	pgd_t *pgd = pgd_offset_k(addr);
	p4d_t *p4d;

	if (pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	return p4d_none(*p4d) ? NULL : pud_offset(p4d, addr);
}

bool hole_has_pud_table(unsigned long addr)
{
	return pud_of(addr);
}

bool hole_has_pmd_table(unsigned long addr)
{
	pud_t *pud = pud_of(addr);

	return pud && !pud_none(*pud) && !pud_leaf(*pud);
}

bool hole_has_pte_table(unsigned long addr)
{
	pmd_t *pmd;

	if (!hole_has_pmd_table(addr))
		return false;
	pmd = pmd_offset(pud_of(addr), addr);
	return !pmd_none(*pmd) && !pmd_leaf(*pmd);
}

void hole_fill(unsigned long start, unsigned long size, u8 pattern)
{
	memset((void *)start, pattern, size);
}

void hole_expect_filled(struct kunit *test, unsigned long start, unsigned long size,
			u8 pattern)
{
	u8 *odd = memchr_inv((void *)start, pattern, size);

	KUNIT_EXPECT_NULL_MSG(test, odd, "byte %#lx is %#x, not %#x",
			      (unsigned long)odd - start, odd ? *odd : 0, pattern);
}

void hole_expect_level(struct kunit *test, unsigned long start, unsigned long size,
		       unsigned int level)
{
	unsigned long addr;

	for (addr = start; addr < start + size; addr += PAGE_SIZE) {
		if (hole_level(addr) == level)
			continue;
		KUNIT_FAIL(test, "%#lx, byte %#lx of the range: mapped at level %u, not %u",
			   addr, addr - start, hole_level(addr), level);
		return;
	}
}

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_X86_VMEMMAP_HOLE_H
#define MHP_X86_VMEMMAP_HOLE_H

#include <kunit/test.h>
#include <linux/memremap.h>
#include <linux/pgtable.h>

/*
 * A part of the virtual memmap that nothing else uses: the struct pages of
 * physical addresses at which there is nothing, far above all RAM.  What is
 * mapped there has page tables of its own.
 *
 * All sizes are in bytes of virtual memmap.
 */

/* The first address of the hole, aligned to PUD_SIZE */
unsigned long hole_start(void);

int hole_init(struct kunit *test);
void hole_exit(struct kunit *test);

void hole_populate_huge(struct kunit *test, unsigned long start, unsigned long size,
			struct vmem_altmap *altmap);
void hole_populate_base(struct kunit *test, unsigned long start, unsigned long size,
			struct vmem_altmap *altmap);
void hole_free(unsigned long start, unsigned long size, struct vmem_altmap *altmap);

struct vmem_altmap *hole_altmap(struct kunit *test, unsigned int order);

/* Looking at the page tables */
unsigned int hole_level(unsigned long addr);
unsigned long hole_backing(unsigned long addr);
bool hole_has_pte_table(unsigned long addr);
bool hole_has_pmd_table(unsigned long addr);
bool hole_has_pud_table(unsigned long addr);

void hole_fill(unsigned long start, unsigned long size, u8 pattern);
void hole_expect_filled(struct kunit *test, unsigned long start, unsigned long size,
			u8 pattern);
void hole_expect_level(struct kunit *test, unsigned long start, unsigned long size,
		       unsigned int level);

#endif /* MHP_X86_VMEMMAP_HOLE_H */

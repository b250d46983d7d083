/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_POWERPC_VMEMMAP_RANGE_H
#define MHP_POWERPC_VMEMMAP_RANGE_H

#include <kunit/test.h>

/*
 * What is mapped in a part of the virtual memmap, or of the linear mapping, on
 * hash and on radix.  All sizes are in bytes of virtual addresses.
 */

u64 vmemmap_range_far_away(void);
unsigned long vmemmap_range_unit(void);
bool vmemmap_range_faults(unsigned long addr);
void vmemmap_range_expect_mapped(struct kunit *test, unsigned long start, unsigned long size,
				 bool mapped);
void vmemmap_range_expect_freed(struct kunit *test, long before);
struct page *vmemmap_range_backing(struct kunit *test, unsigned long addr);

#endif /* MHP_POWERPC_VMEMMAP_RANGE_H */

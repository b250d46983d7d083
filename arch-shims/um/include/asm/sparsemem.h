/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __UM_SPARSEMEM_H
#define __UM_SPARSEMEM_H

#ifdef CONFIG_SPARSEMEM

#define SECTION_SIZE_BITS	CONFIG_UML_SECTION_SIZE_BITS

/*
 * 64 GiB: the direct map and the vmemmap then fit below the 512 GiB that the
 * three-level page table of init_mm can tell apart.
 */
#define MAX_PHYSMEM_BITS	36

#endif /* CONFIG_SPARSEMEM */

#endif /* __UM_SPARSEMEM_H */

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_FAKE_MEMMAP_H
#define MHP_FAKE_MEMMAP_H

#include <kunit/test.h>
#include <linux/memremap.h>
#include <linux/mmzone.h>

/*
 * The lowest level of memory hotplug: a section, or sub-sections of it, get a
 * memmap and nothing else, by sparse_add_section().  There is no memory block,
 * no zone, and not even the memory itself: nothing but the memmap may be used.
 */

int fake_memmap_add(struct kunit *test, unsigned long pfn,
		    unsigned long nr_pages, struct vmem_altmap *altmap);
void fake_memmap_remove(struct kunit *test, unsigned long pfn,
			unsigned long nr_pages);

struct vmem_altmap *fake_altmap(struct kunit *test, unsigned long pfn,
				unsigned long nr_pages);
unsigned long fake_memmap_size(struct kunit *test, unsigned long nr_pages);
bool fake_altmap_is_for_sections(void);
void fake_skip_if_altmap_is_optional(struct kunit *test);
void fake_skip_if_altmap_is_for_sections(struct kunit *test);

/* Looking at what came of it */
unsigned long fake_section_flags(unsigned long pfn);

#endif /* MHP_FAKE_MEMMAP_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * Sections that have a memmap and nothing else; see fake_memmap.h.
 */

#include <linux/list.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"

/* A range that sparse_add_section() was given, within one section. */
struct piece {
	struct list_head list;
	unsigned long pfn;
	unsigned long nr_pages;
	struct vmem_altmap *altmap;
};

static LIST_HEAD(pieces);

static void remove_piece(void *arg)
{
	struct piece *p = arg;

	mem_hotplug_begin();
	sparse_remove_section(p->pfn, p->nr_pages, p->altmap, NULL);
	mem_hotplug_done();
	mhp_validate_expect_bare(p->pfn, p->nr_pages, false);
	list_del(&p->list);
}

/**
 * fake_memmap_add() - call sparse_add_section()
 * @test: the running case
 * @pfn: first page, aligned to a sub-section
 * @nr_pages: pages, whole sub-sections; not beyond the section
 * @altmap: where the memmap goes, or %NULL; has to live until the removal
 *
 * Return: what sparse_add_section() returns.
 */
int fake_memmap_add(struct kunit *test, unsigned long pfn,
		    unsigned long nr_pages, struct vmem_altmap *altmap)
{
	struct piece *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->pfn = pfn;
	p->nr_pages = nr_pages;
	p->altmap = altmap;

	mem_hotplug_begin();
	err = sparse_add_section(0, pfn, nr_pages, altmap, NULL);
	mem_hotplug_done();
	if (!err) {
		list_add(&p->list, &pieces);
		fake_add_action(test, remove_piece, p);
		mhp_validate_expect_bare(pfn, nr_pages, true);
	}
	mhp_validate(test, "sparse_add_section");
	return err;
}

/**
 * fake_memmap_remove() - call sparse_remove_section()
 * @test: the running case
 * @pfn: as it was given to fake_memmap_add()
 * @nr_pages: as it was given then
 */
void fake_memmap_remove(struct kunit *test, unsigned long pfn,
			unsigned long nr_pages)
{
	struct piece *p;

	list_for_each_entry(p, &pieces, list) {
		if (p->pfn != pfn || p->nr_pages != nr_pages)
			continue;
		fake_release_action(test, remove_piece, p);
		mhp_validate(test, "sparse_remove_section");
		return;
	}
	KUNIT_FAIL(test, "pfn %#lx-%#lx was not added", pfn, pfn + nr_pages - 1);
}

/**
 * fake_altmap() - an altmap at the head of a range
 * @test: the running case, which it belongs to
 * @pfn: first page of the range
 * @nr_pages: how many pages the memmap may take
 */
struct vmem_altmap *fake_altmap(struct kunit *test, unsigned long pfn,
				unsigned long nr_pages)
{
	struct vmem_altmap altmap = {
		.base_pfn = pfn,
		.end_pfn = pfn + nr_pages - 1,
		.free = nr_pages,
	};
	struct vmem_altmap *copy = kunit_kmalloc(test, sizeof(*copy), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	memcpy(copy, &altmap, sizeof(altmap));
	return copy;
}

/**
 * fake_memmap_size() - pages that the memmap of a range takes
 * @test: the running case; skipped where that cannot be told
 * @nr_pages: pages of the range
 *
 * Return: pages.
 */
unsigned long fake_memmap_size(struct kunit *test, unsigned long nr_pages)
{
	unsigned long bytes = nr_pages * sizeof(struct page);

	if (!mhp_memmap_can_be_walked())
		kunit_skip(test, "the memmap is not mapped by page tables here");
	if (!IS_ALIGNED(bytes, PAGE_SIZE))
		kunit_skip(test, "the memmap of %lu pages takes %lu bytes, not whole pages",
			   nr_pages, bytes);
	return PHYS_PFN(bytes);
}

/**
 * fake_skip_if_altmap_is_optional() - skip a case in which an altmap has not enough
 * @test: the running case; it ends here where other memory is taken then
 */
void fake_skip_if_altmap_is_optional(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_PPC64))
		kunit_skip(test, "powerpc takes other memory where an altmap has not enough");
}

/**
 * fake_altmap_is_for_sections() - whether memmap of a part of a section is not taken from an altmap
 *
 * Return: true where only the memmap of whole sections is.
 */
bool fake_altmap_is_for_sections(void)
{
	return IS_ENABLED(CONFIG_X86_64) && !IS_ENABLED(CONFIG_UML);
}

/**
 * fake_skip_if_altmap_is_for_sections() - skip a case about the altmap of a part of a section
 * @test: the running case; it ends here where such memmap is not taken from an altmap
 */
void fake_skip_if_altmap_is_for_sections(struct kunit *test)
{
	if (fake_altmap_is_for_sections())
		kunit_skip(test, "x86 maps less than the memmap of a section without the altmap");
}

/**
 * fake_section_flags() - SECTION_* flags of the section of a page
 * @pfn: the page
 *
 * Return: the flags; 0 for a section that is not there.
 */
unsigned long fake_section_flags(unsigned long pfn)
{
	struct mem_section *ms = __pfn_to_section(pfn);

	return ms ? ms->section_mem_map & ~SECTION_MAP_MASK : 0;
}

// SPDX-License-Identifier: GPL-2.0
/*
 * vmemmap_populate() and vmemmap_free() called directly for the memmap of RAM
 * that was kept from the kernel, on hash and on radix: __vmemmap_free() and
 * radix__vmemmap_free().
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/sizes.h>

#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "self_hosted.h"
#include "vmemmap_range.h"
#include "withheld.h"

static unsigned long memmap_of(struct fake_range range)
{
	return (unsigned long)pfn_to_page(range.pfn);
}

static unsigned long memmap_bytes(struct fake_range range)
{
	return range.nr_pages * sizeof(struct page);
}

static void expect_mapped(struct kunit *test, struct fake_range range, bool mapped)
{
	vmemmap_range_expect_mapped(test, memmap_of(range), memmap_bytes(range), mapped);
}

static void populate(struct kunit *test, struct fake_range range, struct vmem_altmap *altmap)
{
	unsigned long start = memmap_of(range);

	expect_mapped(test, range, false);
	KUNIT_ASSERT_EQ(test, vmemmap_populate(start, start + memmap_bytes(range), 0, altmap), 0);
	expect_mapped(test, range, true);
	memset((void *)start, 0, memmap_bytes(range));
}

static void depopulate(struct kunit *test, struct fake_range range, struct vmem_altmap *altmap)
{
	vmemmap_free(memmap_of(range), memmap_of(range) + memmap_bytes(range), altmap);
	expect_mapped(test, range, false);
}

/* Page tables that are kept are there after this, and caches are filled. */
static unsigned long free_pages_after_warm_up(struct kunit *test, struct fake_range range)
{
	populate(test, range, NULL);
	depopulate(test, range, NULL);
	return fake_free_pages();
}

/*
 * Bytes of RAM.  Two GiB are what one PMD of memmap describes with 64K pages, and
 * 16 GiB what a page of 16 MiB does, on hash.
 */
static const u64 sizes[] = { SZ_1G, 3ULL * SZ_1G, 8ULL * SZ_1G, 16ULL * SZ_1G };

static void sizes_desc(const u64 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%llu GiB", *size / SZ_1G);
}
KUNIT_ARRAY_PARAM(sizes, sizes, sizes_desc);

static struct fake_range sized_range(struct kunit *test)
{
	u64 size = *(const u64 *)test->param_value;
	struct range ram;

	if (!withheld_range(&ram) || range_len(&ram) < size)
		kunit_skip(test, "fewer than %llu GiB of RAM were kept from the kernel: mhp_ram=",
			   size / SZ_1G);
	return fake_range(test, size / memory_block_size_bytes());
}

/* An altmap at the head of a range, where the memmap fills whole units of mapping. */
static struct vmem_altmap *altmap_at_head(struct kunit *test, struct fake_range range)
{
	if (!IS_ALIGNED(memmap_of(range) | memmap_bytes(range), vmemmap_range_unit()))
		kunit_skip(test, "a page of %lu bytes maps more than this memmap",
			   vmemmap_range_unit());
	return fake_altmap(test, range.pfn, range.nr_pages);
}

static void free_gives_all_back(struct kunit *test)
{
	struct fake_range range = sized_range(test);
	unsigned long before = free_pages_after_warm_up(test, range);

	populate(test, range, NULL);
	KUNIT_EXPECT_GE(test, before - fake_free_pages(), memmap_bytes(range) / PAGE_SIZE);
	depopulate(test, range, NULL);
	vmemmap_range_expect_freed(test, before);
}

/*
 *	| memmap of all of the range | ... |
 */
static void altmap_is_used_and_given_back(struct kunit *test)
{
	struct fake_range range = sized_range(test);
	struct vmem_altmap *altmap = altmap_at_head(test, range);
	unsigned long before = free_pages_after_warm_up(test, range);

	populate(test, range, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, memmap_bytes(range) / PAGE_SIZE);
	depopulate(test, range, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	vmemmap_range_expect_freed(test, before);
}

static struct vmem_altmap *populate_hosted(struct kunit *test, struct fake_range range)
{
	struct vmem_altmap *altmap = altmap_at_head(test, range);
	unsigned long i;

	populate(test, range, altmap);
	KUNIT_ASSERT_EQ(test, altmap->alloc, memmap_bytes(range) / PAGE_SIZE);
	for (i = 0; i < altmap->alloc; i++)
		__SetPageVmemmap(pfn_to_page(range.pfn + i));
	return altmap;
}

/*
 * A range holds its own memmap, and nobody has an altmap any more.  The struct
 * pages of the vmemmap pages are in the first of them, which is unmapped first.
 */
static void free_of_hosted_memmap_unmaps_only(struct kunit *test)
{
	struct fake_range range = sized_range(test);
	unsigned long before;

	fake_skip_without_series(test, "the memmap that is being freed is read");
	before = free_pages_after_warm_up(test, range);
	populate_hosted(test, range);
	depopulate(test, range, NULL);
	vmemmap_range_expect_freed(test, before);
}

/* The same in small steps, as sections go away: nothing is left in a TLB. */
static void free_of_hosted_memmap_by_units_unmaps_only(struct kunit *test)
{
	struct fake_range range = sized_range(test);
	unsigned long before, addr, start = memmap_of(range);

	fake_skip_without_series(test, "the memmap that is being freed is read");
	before = free_pages_after_warm_up(test, range);
	populate_hosted(test, range);
	for (addr = start; addr < start + memmap_bytes(range); addr += vmemmap_range_unit()) {
		vmemmap_free(addr, addr + vmemmap_range_unit(), NULL);
		KUNIT_EXPECT_TRUE_MSG(test, vmemmap_range_faults(addr), "byte %#lx of the memmap",
				      addr - start);
	}
	expect_mapped(test, range, false);
	vmemmap_range_expect_freed(test, before);
}

/* The pages that hold the memmap, each of which can be freed by itself. */
static struct page **populate_with_split_pages(struct kunit *test, struct fake_range range,
					       unsigned long *nr)
{
	unsigned long i, start = memmap_of(range), used;
	struct page **pages;

	populate(test, range, NULL);
	/* A leaf may map more than was asked for. */
	for (used = 0; !vmemmap_range_faults(start + used * PAGE_SIZE); used++)
		;
	pages = kvmalloc_array(used, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	/* As split_page() makes them */
	for (i = 0; i < used; i++) {
		pages[i] = vmemmap_range_backing(test, start + i * PAGE_SIZE);
		set_page_count(pages[i], 1);
	}
	*nr = used;
	return pages;
}

/*
 * Pages that are marked, of memory that stays: they are not freed, but the memmap
 * is not left mapped.
 */
static void free_of_marked_pages_unmaps_only(struct kunit *test)
{
	struct fake_range range = sized_range(test);
	unsigned long i, used, before;
	struct page **pages;

	fake_skip_without_series(test, "PageVmemmap() marks pages that host their own memmap");
	before = free_pages_after_warm_up(test, range);
	pages = populate_with_split_pages(test, range, &used);
	for (i = 0; i < used; i++)
		__SetPageVmemmap(pages[i]);
	depopulate(test, range, NULL);
	for (i = 0; i < used; i++) {
		KUNIT_EXPECT_FALSE(test, PageVmemmap(pages[i]));
		KUNIT_EXPECT_EQ(test, page_count(pages[i]), 1);
		__free_page(pages[i]);
	}
	kvfree(pages);
	vmemmap_range_expect_freed(test, before);
}

/* Pages as memblock leaves them at boot: reserved, and no zone manages them. */
static void free_of_reserved_pages_frees_them(struct kunit *test)
{
	struct fake_range range = sized_range(test);
	unsigned long i, used, before = free_pages_after_warm_up(test, range);
	struct page **pages = populate_with_split_pages(test, range, &used);

	for (i = 0; i < used; i++) {
		__SetPageReserved(pages[i]);
		adjust_managed_page_count(pages[i], -1);
	}
	depopulate(test, range, NULL);
	kvfree(pages);
	vmemmap_range_expect_freed(test, before);
	mhp_validate(test, "vmemmap_free");
}

static void free_of_nothing_changes_nothing(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	unsigned long before = free_pages_after_warm_up(test, range);

	depopulate(test, range, NULL);
	vmemmap_range_expect_freed(test, before);
}

/*
 *	| V of all sections | ... |	a memory block
 *
 * A page maps the memmap of several sections: each would depend on the first.
 */
static void block_hosts_what_sections_cannot(struct kunit *test)
{
	struct fake_range range;

	if (IS_ALIGNED(PAGES_PER_SECTION * sizeof(struct page), PAGE_SIZE))
		kunit_skip(test, "no page is shared by the memmap of two sections");
	range = self_hosted_add(test, 2);
	KUNIT_EXPECT_EQ(test, self_hosted_host(test), PHYS_PFN(memory_block_size_bytes()));
	self_hosted_expect(test, range);
	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 0)), 0);
	range = fake_block(test, range, 1);
	self_hosted_expect(test, range);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	self_hosted_expect(test, range);
}

static struct kunit_case vmemmap_cases[] = {
	KUNIT_CASE_PARAM(free_gives_all_back, sizes_gen_params),
	KUNIT_CASE_PARAM(altmap_is_used_and_given_back, sizes_gen_params),
	KUNIT_CASE_PARAM(free_of_hosted_memmap_unmaps_only, sizes_gen_params),
	KUNIT_CASE_PARAM(free_of_hosted_memmap_by_units_unmaps_only, sizes_gen_params),
	KUNIT_CASE_PARAM(free_of_marked_pages_unmaps_only, sizes_gen_params),
	KUNIT_CASE_PARAM(free_of_reserved_pages_frees_them, sizes_gen_params),
	KUNIT_CASE(free_of_nothing_changes_nothing),
	KUNIT_CASE(block_hosts_what_sections_cannot),
	{}
};

static struct kunit_suite vmemmap_suite = {
	.name = "mhp_powerpc_vmemmap",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = vmemmap_cases,
};

kunit_test_suite(vmemmap_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * vmemmap_populate() and vmemmap_free() called directly for the memmap of RAM
 * that was kept from the kernel, on hash and on radix: __vmemmap_free() and
 * radix__vmemmap_free().
 *
 * That something is not mapped any more is shown by a fault: on hash there are
 * no page tables to look into.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <asm/mmu.h>

#include "fake_memmap.h"
#include "fake_section.h"
#include "self_hosted.h"

static unsigned long memmap_of(struct fake_range range)
{
	return (unsigned long)pfn_to_page(range.pfn);
}

static unsigned long memmap_bytes(struct fake_range range)
{
	return range.nr_pages * sizeof(struct page);
}

static bool faults(unsigned long addr)
{
	unsigned long word;

	return copy_from_kernel_nofault(&word, (void *)addr, sizeof(word));
}

/* Every page of it faults, or none. */
static void expect_mapped(struct kunit *test, struct fake_range range, bool mapped)
{
	unsigned long addr, end = memmap_of(range) + memmap_bytes(range);

	for (addr = memmap_of(range); addr < end; addr += PAGE_SIZE)
		KUNIT_EXPECT_EQ_MSG(test, !faults(addr), mapped, "byte %#lx of the memmap",
				    addr - memmap_of(range));
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

/* Two GiB, the memmap of which is one PMD with 64K pages, or a part of them */
static const unsigned int nr_blocks[] = { 1, 3, 8 };

static void nr_blocks_desc(const unsigned int *nr, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u blocks", *nr);
}
KUNIT_ARRAY_PARAM(nr_blocks, nr_blocks, nr_blocks_desc);

static void free_gives_all_back(struct kunit *test)
{
	struct fake_range range = fake_range(test, *(unsigned int *)test->param_value);
	unsigned long before = free_pages_after_warm_up(test, range);

	populate(test, range, NULL);
	KUNIT_EXPECT_GE(test, before - fake_free_pages(), memmap_bytes(range) / PAGE_SIZE);
	depopulate(test, range, NULL);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/*
 *	| memmap of all of the range | ... |
 */
static void altmap_is_used_and_given_back(struct kunit *test)
{
	struct fake_range range = fake_range(test, *(unsigned int *)test->param_value);
	unsigned long before = free_pages_after_warm_up(test, range);
	struct vmem_altmap *altmap = fake_altmap(test, range.pfn, range.nr_pages);

	populate(test, range, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, memmap_bytes(range) / PAGE_SIZE);
	depopulate(test, range, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, 0);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

/*
 * The pages that hold the memmap are marked, and nobody has an altmap any more:
 * they are not freed, as they go with the range, but they are unmapped.
 */
static void free_of_marked_pages_unmaps_only(struct kunit *test)
{
	struct fake_range range = fake_range(test, *(unsigned int *)test->param_value);
	struct vmem_altmap *altmap = fake_altmap(test, range.pfn, range.nr_pages);
	unsigned long i, before;

	fake_skip_without_series(test, "PageVmemmap() marks pages that host their own memmap");
	before = free_pages_after_warm_up(test, range);
	populate(test, range, altmap);
	KUNIT_ASSERT_EQ(test, altmap->alloc, memmap_bytes(range) / PAGE_SIZE);
	for (i = 0; i < altmap->alloc; i++)
		__SetPageVmemmap(pfn_to_page(range.pfn + i));
	depopulate(test, range, NULL);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

static void free_of_nothing_changes_nothing(struct kunit *test)
{
	struct fake_range range = fake_range(test, 8);
	unsigned long before = free_pages_after_warm_up(test, range);

	depopulate(test, range, NULL);
	KUNIT_EXPECT_EQ(test, fake_free_pages(), before);
}

static struct kunit_case vmemmap_cases[] = {
	KUNIT_CASE_PARAM(free_gives_all_back, nr_blocks_gen_params),
	KUNIT_CASE_PARAM(altmap_is_used_and_given_back, nr_blocks_gen_params),
	KUNIT_CASE_PARAM(free_of_marked_pages_unmaps_only, nr_blocks_gen_params),
	KUNIT_CASE(free_of_nothing_changes_nothing),
	{}
};

static struct kunit_suite vmemmap_suite = {
	.name = "mhp_powerpc_vmemmap",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = vmemmap_cases,
};

kunit_test_suite(vmemmap_suite);

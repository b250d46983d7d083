// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of devices that holds its own memmap: memremap_pages() with an altmap.
 *
 *	| reserve      | free: for the memmap | what the driver gets pages for |
 *	base_pfn       base_pfn + reserve     base_pfn + vmem_altmap_offset()
 */

#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_device.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "reports.h"

static struct fake_device *device_with_altmap(struct kunit *test, u64 start, u64 size,
					      unsigned long reserve, unsigned long free)
{
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, start, size);

	fake_device_set_altmap(device, reserve, free);
	return device;
}

/* The least whose memmap is in an altmap: x86 maps less than that of a section without. */
static u64 altmap_unit(void)
{
	return fake_altmap_is_for_sections() ? PFN_PHYS(PAGES_PER_SECTION) : fake_device_unit();
}

static unsigned long memmap_pages(struct kunit *test, u64 size)
{
	return fake_memmap_size(test, PHYS_PFN(size));
}

/*
 * The pages before the offset are the driver's or the memmap's: they have no
 * pgmap.  In those of @reserve not even the struct pages are initialised.
 */
static void expect_mapped(struct kunit *test, struct fake_device *device)
{
	struct dev_pagemap *pgmap = device->pgmap;
	struct vmem_altmap *altmap = &pgmap->altmap;
	unsigned long data = altmap->base_pfn + vmem_altmap_offset(altmap);
	unsigned long pfn, end = PHYS_PFN(pgmap->range.end) + 1;

	for (pfn = altmap->base_pfn + altmap->reserve; pfn < data; pfn++) {
		struct page *page = pfn_to_page(pfn);

		KUNIT_EXPECT_FALSE(test, pgmap_pfn_valid(pgmap, pfn));
		if (is_zone_device_page(page) && PageReserved(page) && page_to_pfn(page) == pfn)
			continue;
		KUNIT_FAIL(test, "pfn %#lx of the memmap: flags %pGp", pfn, &page->flags);
		return;
	}
	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (is_zone_device_page(page) && PageReserved(page) && page->pgmap == pgmap &&
		    page_count(page) == 1 && pgmap_pfn_valid(pgmap, pfn))
			continue;
		KUNIT_FAIL(test, "pfn %#lx: flags %pGp, %d references", pfn, &page->flags,
			   page_count(page));
		return;
	}
	KUNIT_EXPECT_FALSE(test, pgmap_pfn_valid(pgmap, altmap->base_pfn));
	KUNIT_EXPECT_FALSE(test, pgmap_pfn_valid(pgmap, end));
}

/* The whole memmap is in the part of the altmap that is meant for it. */
static void expect_memmap_inside(struct kunit *test, struct fake_device *device)
{
	struct vmem_altmap *altmap = &device->pgmap->altmap;
	unsigned long first = altmap->base_pfn + altmap->reserve;
	unsigned long pfn, backing, end = PHYS_PFN(device->pgmap->range.end) + 1;

	if (!mhp_memmap_can_be_walked())
		return;
	for (pfn = altmap->base_pfn; pfn < end; pfn += PAGE_SIZE / sizeof(struct page)) {
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &backing));
		if (backing >= first && backing < first + altmap->free)
			continue;
		KUNIT_FAIL(test, "the struct page of pfn %#lx is in pfn %#lx, outside of %#lx-%#lx",
			   pfn, backing, first, first + altmap->free - 1);
		return;
	}
}

static void expect_altmap_used(struct kunit *test, struct fake_device *device,
			       unsigned long expected)
{
	struct vmem_altmap *altmap = &device->pgmap->altmap;

	KUNIT_EXPECT_EQ(test, altmap->alloc, expected);
	KUNIT_EXPECT_LE(test, altmap->alloc + altmap->align, altmap->free);
}

struct layout {
	const char *name;
	unsigned long reserve;	/* pages */
	unsigned long spare;	/* pages that the memmap may use and need not */
};

static const struct layout layouts[] = {
	{ "nothing else", 0, 0 },
	{ "a page reserved", 1, 0 },
	{ "pages reserved and spare", 8, 16 },
};

KUNIT_ARRAY_PARAM_DESC(layouts, layouts, name);

/* Whole sections, where the architecture may want large and aligned pieces. */
static void map_blocks_puts_memmap_into_altmap(struct kunit *test)
{
	const struct layout *l = test->param_value;
	struct fake_range range = fake_range(test, 2);
	unsigned long size = memmap_pages(test, range.size);
	unsigned long align = l->reserve ? PHYS_PFN(PMD_SIZE) : 0;
	struct fake_device *device = device_with_altmap(test, range.start, range.size, l->reserve,
							size + l->spare + align);

	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	expect_altmap_used(test, device, size);
	expect_mapped(test, device);
	expect_memmap_inside(test, device);
	fake_device_unmap(test, device);
	KUNIT_EXPECT_EQ(test, device->pgmap->altmap.alloc, 0);
	blocks_expect_absent(test, range);
}

static void map_unit_puts_memmap_into_altmap(struct kunit *test)
{
	const struct layout *l = test->param_value;
	struct fake_range range = fake_range(test, 1);
	u64 unit = fake_device_unit();
	u64 start = range.start + range.size - unit;
	unsigned long size = memmap_pages(test, unit);
	struct fake_device *device = device_with_altmap(test, start, unit, l->reserve,
							size + l->spare);

	fake_skip_if_altmap_is_for_sections(test);
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	expect_altmap_used(test, device, size);
	expect_mapped(test, device);
	expect_memmap_inside(test, device);
	fake_device_unmap(test, device);
	KUNIT_EXPECT_EQ(test, device->pgmap->altmap.alloc, 0);
	blocks_expect_absent(test, range);
}

/*
 *	| altmap | no altmap | altmap |
 *
 * Three neighbouring units, and each one's memmap is freed to where it is from.
 */
static void map_neighbours_with_and_without_altmap(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	u64 unit = altmap_unit(), start = range.start + memory_block_size_bytes() - unit;
	unsigned long size = memmap_pages(test, unit);
	unsigned long align = fake_altmap_is_for_sections() ? PHYS_PFN(PMD_SIZE) : 0;
	struct fake_device *first = device_with_altmap(test, start, unit, 0, size);
	struct fake_device *middle = fake_device(test, MEMORY_DEVICE_GENERIC, start + unit, unit);
	struct fake_device *last = device_with_altmap(test, start + 2 * unit, unit, 4,
						      size + align);

	if (IS_ENABLED(CONFIG_PPC64))
		kunit_skip(test, "powerpc maps the memmap of neighbours as well");
	KUNIT_ASSERT_EQ(test, fake_device_map(test, middle), 0);
	KUNIT_ASSERT_EQ(test, fake_device_map(test, first), 0);
	KUNIT_ASSERT_EQ(test, fake_device_map(test, last), 0);
	expect_memmap_inside(test, first);
	expect_memmap_inside(test, last);
	fake_device_unmap(test, middle);
	expect_mapped(test, first);
	expect_mapped(test, last);
	fake_device_unmap(test, first);
	expect_altmap_used(test, last, size);
	expect_mapped(test, last);
	fake_device_unmap(test, last);
	KUNIT_EXPECT_EQ(test, last->pgmap->altmap.alloc, 0);
	blocks_expect_absent(test, range);
}

/* What the driver writes to its part does not reach the memmap. */
static void memory_after_altmap_can_be_written(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long size = memmap_pages(test, range.size);
	struct fake_device *device = device_with_altmap(test, range.start, range.size, 0, size);
	void *memory = __va(range.start) + PFN_PHYS(size);

	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	memset(memory, 0x5e, SZ_1M);
	expect_mapped(test, device);
	KUNIT_EXPECT_NULL(test, memchr_inv(memory, 0x5e, SZ_1M));
}

static void map_altmap_too_small_unwinds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	u64 unit = altmap_unit();
	unsigned long size = memmap_pages(test, unit);
	struct fake_device *device = device_with_altmap(test, range.start, unit, 0, size - 1);

	fake_skip_if_altmap_is_optional(test);
	reports_expect_failed_add(test);
	/* Were it mapped, another altmap would make memunmap_pages() wait for ever. */
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), -ENOMEM);
	KUNIT_EXPECT_EQ(test, device->pgmap->altmap.alloc, 0);
	KUNIT_EXPECT_EQ(test, device->pgmap->nr_range, 1);
	blocks_expect_absent(test, range);

	device->pgmap->altmap.free = size;
	KUNIT_EXPECT_EQ(test, fake_device_map(test, device), 0);
	expect_mapped(test, device);
}

/*
 *	| section | section | section |
 *	| ok      | ok      | no room for its memmap
 */
static void map_sections_altmap_too_small_unwinds(struct kunit *test)
{
	unsigned int nr_blocks = DIV_ROUND_UP(PFN_PHYS(3 * PAGES_PER_SECTION),
					      memory_block_size_bytes());
	struct fake_range range = fake_range(test, nr_blocks);
	u64 bytes = PFN_PHYS(3 * PAGES_PER_SECTION);
	unsigned long size = memmap_pages(test, bytes);
	struct fake_device *device = device_with_altmap(test, range.start, bytes, 0, size - 1);

	fake_skip_without_series(test, "__add_pages() leaves sections behind when it fails");
	reports_expect_failed_add(test);
	KUNIT_EXPECT_EQ(test, fake_device_map(test, device), -ENOMEM);
	KUNIT_EXPECT_EQ(test, device->pgmap->altmap.alloc, 0);
	blocks_expect_absent(test, range);
}

/* An altmap begins where the memory does, and is no larger. */
static void map_altmap_out_of_bounds_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long nr_pages = PHYS_PFN(fake_device_unit());
	struct fake_device *device = device_with_altmap(test, range.start, fake_device_unit(),
							0, nr_pages + 1);

	reports_expect_failed_add(test);
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), -EINVAL);
	device->pgmap->altmap.free = nr_pages / 2;
	device->pgmap->altmap.base_pfn++;
	KUNIT_EXPECT_EQ(test, fake_device_map(test, device), -EINVAL);
	blocks_expect_absent(test, range);
}

static struct kunit_case zone_device_altmap_cases[] = {
	KUNIT_CASE_PARAM(map_blocks_puts_memmap_into_altmap, layouts_gen_params),
	KUNIT_CASE_PARAM(map_unit_puts_memmap_into_altmap, layouts_gen_params),
	KUNIT_CASE(map_neighbours_with_and_without_altmap),
	KUNIT_CASE(memory_after_altmap_can_be_written),
	KUNIT_CASE(map_altmap_too_small_unwinds),
	KUNIT_CASE(map_sections_altmap_too_small_unwinds),
	KUNIT_CASE(map_altmap_out_of_bounds_is_refused),
	{}
};

static struct kunit_suite zone_device_altmap_suite = {
	.name = "mhp_zone_device_altmap",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = zone_device_altmap_cases,
};

kunit_test_suite(zone_device_altmap_suite);

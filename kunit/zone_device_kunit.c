// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of devices: memremap_pages() and memunmap_pages(), which give it
 * struct pages in ZONE_DEVICE.  See zone_device_altmap_kunit.c for a memmap in
 * the memory of the device itself.
 *
 * A "unit" is what can be mapped by itself: a sub-section on most
 * architectures.
 */

#include <linux/completion.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/workqueue.h>

#include "blocks.h"
#include "fake_device.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "permutations.h"

#define UNIT_PAGES	((unsigned long)PHYS_PFN(fake_device_unit()))

static struct fake_device *map(struct kunit *test, u64 start, u64 size)
{
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, start, size);

	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	return device;
}

/* Whether a reference on the device can be had for the page. */
static bool has_pgmap(unsigned long pfn, struct fake_device *device)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(pfn, NULL);

	put_dev_pagemap(pgmap);
	return pgmap == device->pgmap;
}

static void expect_mapped(struct kunit *test, struct fake_device *device)
{
	struct dev_pagemap *pgmap = device->pgmap;
	bool counted = pgmap->type != MEMORY_DEVICE_PRIVATE &&
		       pgmap->type != MEMORY_DEVICE_COHERENT;
	int i;

	for (i = 0; i < pgmap->nr_range; i++) {
		unsigned long pfn = PHYS_PFN(pgmap->ranges[i].start);
		unsigned long end = PHYS_PFN(pgmap->ranges[i].end) + 1;

		KUNIT_EXPECT_TRUE(test, has_pgmap(pfn, device));
		KUNIT_EXPECT_TRUE(test, has_pgmap(end - 1, device));
		for (; pfn < end; pfn++) {
			struct page *page = pfn_to_page(pfn);

			if (pfn_valid(pfn) && is_zone_device_page(page) &&
			    page->pgmap == pgmap && page_to_pfn(page) == pfn &&
			    PageReserved(page) && page_count(page) == counted &&
			    !pfn_to_online_page(pfn))
				continue;
			KUNIT_FAIL(test, "pfn %#lx: flags %pGp, zone %s, %d references",
				   pfn, &page->flags, page_zone(page)->name,
				   page_count(page));
			return;
		}
	}
}

static void expect_unmapped(struct kunit *test, u64 start, u64 size)
{
	unsigned long pfn, end = PHYS_PFN(start + size);

	for (pfn = PHYS_PFN(start); pfn < end; pfn += PAGES_PER_SUBSECTION) {
		struct dev_pagemap *pgmap = get_dev_pagemap(pfn, NULL);

		put_dev_pagemap(pgmap);
		KUNIT_EXPECT_NULL(test, pgmap);
		KUNIT_EXPECT_FALSE(test, pfn_valid(pfn));
		KUNIT_EXPECT_FALSE(test, mhp_memmap_is_stale(pfn));
	}
}

struct type {
	enum memory_type type;
	const char *name;
};

static const struct type types[] = {
	{ MEMORY_DEVICE_GENERIC, "generic" },
	{ MEMORY_DEVICE_FS_DAX, "fs_dax" },
	{ MEMORY_DEVICE_PCI_P2PDMA, "pci_p2pdma" },
	{ MEMORY_DEVICE_COHERENT, "coherent" },
#ifdef CONFIG_DEVICE_PRIVATE
	{ MEMORY_DEVICE_PRIVATE, "private" },
#endif
};

KUNIT_ARRAY_PARAM_DESC(types, types, name);

/* Two blocks and a unit: whole sections, and one that is not. */
static void map_makes_zone_device_pages(struct kunit *test)
{
	const struct type *type = test->param_value;
	struct fake_range range = fake_range(test, 3);
	u64 size = 2 * memory_block_size_bytes() + fake_device_unit();
	struct fake_device *device = fake_device(test, type->type, range.start, size);
	unsigned long ram = totalram_pages();

#ifdef CONFIG_PPC64
	if (!radix_enabled() && type->type == MEMORY_DEVICE_PCI_P2PDMA)
		kunit_skip(test, "on hash, a hypervisor maps no RAM uncached");
#endif
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	expect_mapped(test, device);
	KUNIT_EXPECT_EQ(test, totalram_pages(), ram);
	KUNIT_EXPECT_EQ(test, fake_zone(ZONE_DEVICE)->present_pages, 0);
	fake_device_unmap(test, device);
	expect_unmapped(test, range.start, range.size);
	KUNIT_EXPECT_EQ(test, fake_nr_present_sections(range), 0);
	KUNIT_EXPECT_EQ(test, device->pages_freed, 0);
}

static void map_again_after_unmap(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, range.start,
						 fake_device_unit());
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
		expect_mapped(test, device);
		fake_device_unmap(test, device);
		expect_unmapped(test, range.start, range.size);
	}
}

/* It is memory like other, and the driver's alone. */
static void mapped_memory_can_be_written(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	u64 size = fake_device_unit();
	u8 *memory;

	map(test, range.start, size);
	memory = __va(range.start);
	memset(memory, 0x5e, size);
	KUNIT_EXPECT_NULL(test, memchr_inv(memory, 0x5e, size));
	mhp_validate(test, "writing to the device");
}

/*
 * Neighbours, two of them in one section where it is larger than a unit:
 *
 *	| absent | 0 | 1 | 2 | absent
 */
static void map_neighbours_and_unmap_in_any_order(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	struct fake_range range = fake_range(test, 6);
	u64 unit = fake_device_unit();
	u64 start = range.start + memory_block_size_bytes() - unit;
	struct fake_device *devices[3];
	bool there[3] = { true, true, true };
	unsigned int i, k;

	for (i = 0; i < 3; i++)
		devices[i] = map(test, start + i * unit, unit);
	for (i = 0; i < 3; i++)
		expect_mapped(test, devices[i]);
	for (i = 0; i < 3; i++) {
		fake_device_unmap(test, devices[order->nth[i]]);
		there[order->nth[i]] = false;
		for (k = 0; k < 3; k++) {
			if (there[k])
				expect_mapped(test, devices[k]);
			else
				expect_unmapped(test, start + k * unit, unit);
		}
	}
	KUNIT_EXPECT_EQ(test, fake_nr_present_sections(range), 0);
}

/* The mark for pfn_to_online_page() that the section holds a part of a device. */
static void map_part_of_section_taints_it(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	u64 unit = fake_device_unit();
	struct fake_device *device;

	if (UNIT_PAGES == PAGES_PER_SECTION)
		kunit_skip(test, "a section cannot be mapped in parts here");
	device = map(test, range.start, unit);
	KUNIT_EXPECT_TRUE(test, fake_section_flags(range.pfn) & SECTION_TAINT_ZONE_DEVICE);
	fake_device_unmap(test, device);
	KUNIT_EXPECT_EQ(test, fake_section_flags(range.pfn), 0);

	device = map(test, range.start, PFN_PHYS(PAGES_PER_SECTION));
	KUNIT_EXPECT_FALSE(test, fake_section_flags(range.pfn) & SECTION_TAINT_ZONE_DEVICE);
	KUNIT_EXPECT_FALSE(test, fake_section_flags(range.pfn) & SECTION_IS_ONLINE);
}

/*
 *	| device | System RAM, online |
 *	  a unit   the rest of the section
 */
static void map_next_to_system_ram_in_one_section(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1), ram = range;
	unsigned long pfn, end = range.pfn + PAGES_PER_SECTION;
	struct fake_device *device;

	if (UNIT_PAGES == PAGES_PER_SECTION || !pageblock_aligned(UNIT_PAGES))
		kunit_skip(test, "a section cannot be mapped in parts here");
	ram.start += fake_device_unit();
	ram.pfn += UNIT_PAGES;
	ram.nr_pages = PAGES_PER_SECTION - UNIT_PAGES;
	ram.size = PFN_PHYS(ram.nr_pages);

	device = map(test, range.start, fake_device_unit());
	KUNIT_ASSERT_EQ(test, fake_plug(test, ram, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, ram.pfn, ram.nr_pages, ZONE_NORMAL), 0);
	expect_mapped(test, device);
	for (pfn = ram.pfn; pfn < end; pfn += pageblock_nr_pages)
		KUNIT_EXPECT_PTR_EQ(test, pfn_to_online_page(pfn), pfn_to_page(pfn));
	KUNIT_EXPECT_PTR_EQ(test, pfn_to_online_page(end - 1), pfn_to_page(end - 1));
	KUNIT_EXPECT_NULL(test, pfn_to_online_page(ram.pfn - 1));

	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, ram.pfn, ram.nr_pages), 0);
	fake_unplug(test, ram);
	expect_mapped(test, device);
}

static void map_several_ranges(struct kunit *test)
{
	struct fake_range first = fake_range(test, 1), second = fake_range(test, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, second.start,
						 second.size);

	fake_device_add_range(test, device, first.start, fake_device_unit());
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	KUNIT_EXPECT_EQ(test, device->pgmap->nr_range, 2);
	expect_mapped(test, device);
	fake_device_unmap(test, device);
	expect_unmapped(test, first.start, first.size);
	expect_unmapped(test, second.start, second.size);
}

/* offline_pages() has no business there, and leaves it alone. */
static void device_pages_cannot_be_offlined(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct fake_device *device = map(test, range.start, range.size);

	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EINVAL);
	expect_mapped(test, device);
}

/* Memory hotplug notifications are for memory of the system. */
static void map_does_not_notify(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct listener *listener = listener_add(test, 0);

	fake_device_unmap(test, map(test, range.start, range.size));
	KUNIT_EXPECT_EQ(test, listener->nr_events, 0);
}

struct unmapping {
	struct work_struct work;
	struct dev_pagemap *pgmap;
	struct completion done;
};

static void unmap_work(struct work_struct *work)
{
	struct unmapping *u = container_of(work, struct unmapping, work);

	memunmap_pages(u->pgmap);
	complete(&u->done);
}

/* As long as somebody uses a page; but nobody new may begin to. */
static void unmap_waits_for_references(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, range.start,
						 fake_device_unit());
	struct dev_pagemap *held;
	struct unmapping u;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, memremap_pages(device->pgmap, 0));
	held = get_dev_pagemap(range.pfn, NULL);
	KUNIT_EXPECT_PTR_EQ(test, held, device->pgmap);
	KUNIT_EXPECT_PTR_EQ(test, get_dev_pagemap(range.pfn + 1, held), held);

	/* No assertion up to the end: the work is on the stack. */
	u.pgmap = device->pgmap;
	init_completion(&u.done);
	INIT_WORK_ONSTACK(&u.work, unmap_work);
	schedule_work(&u.work);
	while (has_pgmap(range.pfn, device))
		schedule_timeout_uninterruptible(1);
	schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_FALSE(test, completion_done(&u.done));
	KUNIT_EXPECT_TRUE(test, pfn_valid(range.pfn));
	KUNIT_EXPECT_TRUE(test, is_zone_device_page(pfn_to_page(range.pfn)));

	put_dev_pagemap(held);
	flush_work(&u.work);
	destroy_work_on_stack(&u.work);
	KUNIT_EXPECT_TRUE(test, completion_done(&u.done));
	expect_unmapped(test, range.start, range.size);
	mhp_validate(test, "memunmap_pages");
}

/* Each pageblock is one page of its own, for as long as it is mapped. */
static void map_with_vmemmap_shift_makes_compound_pages(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, range.start,
						 range.size);
	unsigned long pfn, end = range.pfn + range.nr_pages;

	device->pgmap->vmemmap_shift = pageblock_order;
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	for (pfn = range.pfn; pfn < end; pfn += pageblock_nr_pages) {
		struct page *head = pfn_to_page(pfn);
		struct page *last = head + pageblock_nr_pages - 1;

		KUNIT_ASSERT_TRUE(test, PageHead(head));
		KUNIT_EXPECT_EQ(test, compound_order(head), pageblock_order);
		KUNIT_EXPECT_EQ(test, page_count(head), 1);
		KUNIT_EXPECT_PTR_EQ(test, head->pgmap, device->pgmap);
		KUNIT_EXPECT_TRUE(test, PageTail(last));
		KUNIT_EXPECT_PTR_EQ(test, compound_head(last), head);
		KUNIT_EXPECT_TRUE(test, is_zone_device_page(last));
	}
	fake_device_unmap(test, device);
	expect_unmapped(test, range.start, range.size);
}

/* Who asks again for a page nearby has the answer already; for another one, it is given up. */
static void lookup_goes_on_from_the_last_one(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2), first = fake_block(test, range, 0);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, first.start, first.size);
	struct dev_pagemap *found;

	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	found = get_dev_pagemap(first.pfn, NULL);
	KUNIT_ASSERT_PTR_EQ(test, found, device->pgmap);
	KUNIT_EXPECT_PTR_EQ(test, get_dev_pagemap(first.pfn + first.nr_pages - 1, found), found);
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(first.pfn + first.nr_pages, found));
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(first.pfn - 1, NULL));
	/* That waits for whoever still has it. */
	fake_device_unmap(test, device);
}

static void lookup_before_the_last_one_gives_it_up(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2), last = fake_block(test, range, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, last.start, last.size);
	struct dev_pagemap *found;

	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	found = get_dev_pagemap(last.pfn, NULL);
	KUNIT_ASSERT_PTR_EQ(test, found, device->pgmap);
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(last.pfn - 1, found));
	fake_device_unmap(test, device);
}

static struct kunit_case zone_device_cases[] = {
	KUNIT_CASE_PARAM(map_makes_zone_device_pages, types_gen_params),
	KUNIT_CASE(map_again_after_unmap),
	KUNIT_CASE(mapped_memory_can_be_written),
	KUNIT_CASE_PARAM(map_neighbours_and_unmap_in_any_order, permutations_gen_params),
	KUNIT_CASE(map_part_of_section_taints_it),
	KUNIT_CASE(map_next_to_system_ram_in_one_section),
	KUNIT_CASE(map_several_ranges),
	KUNIT_CASE(device_pages_cannot_be_offlined),
	KUNIT_CASE(map_does_not_notify),
	KUNIT_CASE(unmap_waits_for_references),
	KUNIT_CASE(map_with_vmemmap_shift_makes_compound_pages),
	KUNIT_CASE(lookup_goes_on_from_the_last_one),
	KUNIT_CASE(lookup_before_the_last_one_gives_it_up),
	{}
};

static struct kunit_suite zone_device_suite = {
	.name = "mhp_zone_device",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = zone_device_cases,
};

kunit_test_suite(zone_device_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * Fake device memory; see fake_device.h.
 */

#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "fake_device.h"
#include "fake_section.h"
#include "mhp_validate.h"

#define RESOURCE_NAME	"mhp_kunit device"

static void page_free(struct page *page)
{
	struct fake_device *device = page->pgmap->owner;

	device->pages_freed++;
}

static vm_fault_t migrate_to_ram(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct dev_pagemap_ops ops = {
	.page_free = page_free,
	.migrate_to_ram = migrate_to_ram,
};

/**
 * fake_device_unit() - in what pieces device memory can be mapped
 *
 * Return: bytes; a sub-section, or more where the architecture wants it so.
 */
u64 fake_device_unit(void)
{
	return memremap_compat_align();
}

/**
 * fake_device() - a driver of memory that is not mapped yet
 * @test: the running case, which it belongs to
 * @type: MEMORY_DEVICE_*
 * @start: first byte of the memory, whole units
 * @size: bytes, whole units
 *
 * Return: the driver.
 */
struct fake_device *fake_device(struct kunit *test, enum memory_type type, u64 start,
				u64 size)
{
	struct fake_device *device = kunit_kzalloc(test, sizeof(*device), GFP_KERNEL);
	struct dev_pagemap *pgmap;

	KUNIT_ASSERT_NOT_NULL(test, device);
	pgmap = kunit_kzalloc(test, struct_size(pgmap, ranges, FAKE_DEVICE_MAX_RANGES),
			      GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pgmap);
	device->pgmap = pgmap;
	pgmap->type = type;
	pgmap->ops = &ops;
	pgmap->owner = device;
	fake_device_add_range(test, device, start, size);
	return device;
}

/**
 * fake_device_add_range() - give the driver memory at another place as well
 * @test: the running case
 * @device: the driver
 * @start: first byte of the memory, whole units
 * @size: bytes, whole units
 */
void fake_device_add_range(struct kunit *test, struct fake_device *device, u64 start,
			   u64 size)
{
	struct dev_pagemap *pgmap = device->pgmap;

	KUNIT_ASSERT_LT(test, pgmap->nr_range, FAKE_DEVICE_MAX_RANGES);
	pgmap->ranges[pgmap->nr_range++] = (struct range) {
		.start = start,
		.end = start + size - 1,
	};
}

/**
 * fake_device_set_altmap() - let the memmap be in the memory of the driver
 * @device: the driver
 * @reserve: pages at the beginning that the driver keeps to itself
 * @free: pages after these that the memmap may use
 */
void fake_device_set_altmap(struct fake_device *device, unsigned long reserve,
			    unsigned long free)
{
	struct dev_pagemap *pgmap = device->pgmap;
	struct vmem_altmap altmap = {
		.base_pfn = PHYS_PFN(pgmap->range.start),
		.end_pfn = PHYS_PFN(pgmap->range.end),
		.reserve = reserve,
		.free = free,
	};

	memcpy(&pgmap->altmap, &altmap, sizeof(altmap));
	pgmap->flags |= PGMAP_ALTMAP_VALID;
}

static void release_resources(struct dev_pagemap *pgmap)
{
	int i;

	for (i = 0; i < pgmap->nr_range; i++)
		release_mem_region(pgmap->ranges[i].start, range_len(&pgmap->ranges[i]));
}

static void unmap(void *arg)
{
	struct fake_device *device = arg;

	memunmap_pages(device->pgmap);
	release_resources(device->pgmap);
}

/**
 * fake_device_map() - call memremap_pages()
 * @test: the running case
 * @device: the driver
 *
 * Return: 0, or what memremap_pages() fails with.
 */
int fake_device_map(struct kunit *test, struct fake_device *device)
{
	struct dev_pagemap *pgmap = device->pgmap;
	void *addr;
	int i;

	for (i = 0; i < pgmap->nr_range; i++)
		KUNIT_ASSERT_NOT_NULL(test, request_mem_region(pgmap->ranges[i].start,
							       range_len(&pgmap->ranges[i]),
							       RESOURCE_NAME));
	addr = memremap_pages(pgmap, 0);
	if (IS_ERR(addr)) {
		release_resources(pgmap);
	} else {
		KUNIT_EXPECT_PTR_EQ(test, addr, __va(pgmap->range.start));
		fake_add_action(test, unmap, device);
	}
	mhp_validate(test, "memremap_pages");
	return PTR_ERR_OR_ZERO(addr);
}

/**
 * fake_device_unmap() - call memunmap_pages()
 * @test: the running case
 * @device: a driver whose memory is mapped
 */
void fake_device_unmap(struct kunit *test, struct fake_device *device)
{
	fake_release_action(test, unmap, device);
	mhp_validate(test, "memunmap_pages");
}

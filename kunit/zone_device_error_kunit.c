// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of devices that memremap_pages() refuses: nothing is left behind, and
 * what is there already stays.  Where it warns as well: see misuse_kunit.c.
 */

#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_device.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "reports.h"

/*
 * Nobody asks for the addresses first, as a driver does: the resource tree may end before.
 */
static void map_beyond_pluggable_range_is_refused(struct kunit *test)
{
	u64 end = ALIGN_DOWN(mhp_get_pluggable_range(true).end + 1, fake_device_unit());
	u64 unit = fake_device_unit();
	struct fake_device *beyond = fake_device(test, MEMORY_DEVICE_GENERIC, end, unit);
	struct fake_device *across = fake_device(test, MEMORY_DEVICE_GENERIC, end - unit, 2 * unit);

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(memremap_pages(beyond->pgmap, 0)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(memremap_pages(across->pgmap, 0)), -EINVAL);
	mhp_validate(test, "memremap_pages");
}

/* Present, but of no other device, and not in the resource tree. */
static void map_present_section_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, range.start,
						 fake_device_unit());

	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, range.pfn, PAGES_PER_SECTION, NULL), 0);
	reports_expect_failed_add(test);
	KUNIT_EXPECT_EQ(test, fake_device_map(test, device), -EEXIST);
	KUNIT_EXPECT_TRUE(test, pfn_valid(range.pfn));
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(range.pfn, NULL));

	fake_memmap_remove(test, range.pfn, PAGES_PER_SECTION);
	KUNIT_EXPECT_EQ(test, fake_device_map(test, device), 0);
}

/* The ranges before the one that fails are unmapped again. */
static void map_several_ranges_one_present_unwinds(struct kunit *test)
{
	struct fake_range first = fake_range(test, 1), second = fake_range(test, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, first.start,
						 first.size);

	fake_device_add_range(test, device, second.start, fake_device_unit());
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, second.pfn, PAGES_PER_SECTION, NULL), 0);
	reports_expect_failed_add(test);
	KUNIT_EXPECT_EQ(test, fake_device_map(test, device), -EEXIST);
	KUNIT_EXPECT_EQ(test, device->pgmap->nr_range, 2);
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(first.pfn, NULL));
	blocks_expect_absent(test, first);

	fake_memmap_remove(test, second.pfn, PAGES_PER_SECTION);
	KUNIT_EXPECT_EQ(test, fake_device_map(test, device), 0);
}

/* The other way round: System RAM does not go where a device is. */
static void add_memory_over_mapped_device_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC,
						 range.start + range.size - fake_device_unit(),
						 fake_device_unit());

	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	KUNIT_EXPECT_EQ(test, fake_add(test, range, MHP_NONE), -EEXIST);
	KUNIT_EXPECT_EQ(test, fake_add(test, fake_block(test, range, 1), MHP_NONE), -EEXIST);
	KUNIT_EXPECT_EQ(test, fake_add(test, fake_block(test, range, 0), MHP_NONE), 0);
	fake_device_unmap(test, device);
	KUNIT_EXPECT_EQ(test, fake_add(test, fake_block(test, range, 1), MHP_NONE), 0);
}

static struct kunit_case zone_device_error_cases[] = {
	KUNIT_CASE(map_beyond_pluggable_range_is_refused),
	KUNIT_CASE(map_present_section_is_refused),
	KUNIT_CASE(map_several_ranges_one_present_unwinds),
	KUNIT_CASE(add_memory_over_mapped_device_is_refused),
	{}
};

static struct kunit_suite zone_device_error_suite = {
	.name = "mhp_zone_device_error",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = zone_device_error_cases,
};

kunit_test_suite(zone_device_error_suite);

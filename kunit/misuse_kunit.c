// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that no caller should make: mm/ warns, refuses, and nothing has changed.
 *
 * Each case announces the report that it provokes.  One that does not come
 * fails the run like one that nobody announced.
 */

#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_device.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "reports.h"

/*
 *	| sub-section | ..
 *	    ^ one page of it
 */
static void remove_pages_misaligned_removes_nothing(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	reports_expect(test, "__remove_pages");
	mem_hotplug_begin();
	__remove_pages(range.pfn + 1, 1, NULL, NULL);
	mem_hotplug_done();
	mhp_validate(test, "__remove_pages");
	KUNIT_EXPECT_TRUE(test, pfn_valid(range.pfn + 1));
}

static void add_pages_misaligned_is_refused(struct kunit *test)
{
	struct mhp_params params = { .pgprot = PAGE_KERNEL };
	struct fake_range range = fake_range(test, 1);
	int err;

	reports_expect(test, "__add_pages");
	mem_hotplug_begin();
	err = __add_pages(0, range.pfn, PAGES_PER_SUBSECTION + 1, &params);
	mem_hotplug_done();
	mhp_validate(test, "__add_pages");
	KUNIT_EXPECT_EQ(test, err, -EINVAL);
	KUNIT_EXPECT_FALSE(test, pfn_valid(range.pfn));
}

/* Without asking for the addresses first, as a driver has to. */
static void expect_refused(struct kunit *test, struct fake_device *device, int err)
{
	reports_expect(test, "mm/memremap.c");
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(memremap_pages(device->pgmap, 0)), err);
	mhp_validate(test, "memremap_pages");
}

static struct fake_device *device_at(struct kunit *test, struct fake_range range,
				     enum memory_type type)
{
	return fake_device(test, type, range.start, range.size);
}

/*
 *	| device |
 *	    | device |  and  | device |
 *			 | device |
 */
static void map_over_mapped_device_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range middle = fake_block(test, range, 1);

	KUNIT_ASSERT_EQ(test, fake_device_map(test, device_at(test, middle,
							      MEMORY_DEVICE_GENERIC)), 0);
	expect_refused(test, device_at(test, fake_sub_range(test, range, 1, 2),
				       MEMORY_DEVICE_GENERIC), -ENOMEM);
	expect_refused(test, device_at(test, fake_sub_range(test, range, 0, 2),
				       MEMORY_DEVICE_GENERIC), -ENOMEM);
}

static void map_over_system_ram_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	expect_refused(test, device_at(test, range, MEMORY_DEVICE_GENERIC), -ENXIO);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
}

static void map_of_no_range_is_refused(struct kunit *test)
{
	struct fake_device *device = device_at(test, fake_range(test, 1), MEMORY_DEVICE_GENERIC);

	device->pgmap->nr_range = 0;
	expect_refused(test, device, -EINVAL);
}

static void map_altmap_of_several_ranges_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1), other = fake_range(test, 1);
	struct fake_device *device = device_at(test, range, MEMORY_DEVICE_GENERIC);

	fake_device_add_range(test, device, other.start, other.size);
	fake_device_set_altmap(device, 0, range.nr_pages / 2);
	expect_refused(test, device, -EINVAL);
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(range.pfn, NULL));
}

/* It warns, and takes it for memory that is like any other. */
static void map_of_unknown_type_warns(struct kunit *test)
{
	struct fake_device *device = device_at(test, fake_range(test, 1), 0);

	reports_expect(test, "mm/memremap.c");
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	fake_device_unmap(test, device);
}

static const enum memory_type owned_types[] = { MEMORY_DEVICE_PRIVATE, MEMORY_DEVICE_COHERENT };

static void describe(const enum memory_type *type, char *desc)
{
	strscpy(desc, *type == MEMORY_DEVICE_PRIVATE ? "private" : "coherent",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(owned_types, owned_types, describe);

/* Pages that are migrated to and fro: somebody has to know them, and to get them back. */
static void map_memory_without_owner_is_refused(struct kunit *test)
{
	const enum memory_type *type = test->param_value;
	struct fake_device *device = device_at(test, fake_range(test, 1), *type);
	const struct dev_pagemap_ops none = {};

	device->pgmap->owner = NULL;
	expect_refused(test, device, -EINVAL);
	device->pgmap->ops = &none;
	expect_refused(test, device, -EINVAL);
}

static void add_to_impossible_node_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	reports_expect(test, "was absent from the node_possible_map");
	KUNIT_EXPECT_EQ(test, add_memory(MAX_NUMNODES, range.start, range.size, MHP_NONE), -EINVAL);
	mhp_validate(test, "add_memory");
	KUNIT_EXPECT_FALSE(test, pfn_valid(range.pfn));
}

/*
 *	| altmap | no altmap |	in one call
 *
 * mm/ reports it once in a boot, so both callers are here.
 */
static void remove_with_and_without_altmap_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	struct fake_range hosts = fake_block(test, range, 0);

	blocks_need_memmap_on_memory(test, "Y");
	KUNIT_ASSERT_EQ(test, fake_add(test, hosts, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 1), MHP_NONE), 0);
	reports_expect(test, "mm/memory_hotplug.c");
	KUNIT_EXPECT_EQ(test, remove_memory(range.start, range.size), -EINVAL);
	mhp_validate(test, "remove_memory");
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	KUNIT_EXPECT_EQ(test, offline_and_remove_memory(range.start, range.size), -EINVAL);
	mhp_validate(test, "offline_and_remove_memory");
	/* It brings back what it has taken offline. */
	KUNIT_EXPECT_TRUE(test, fake_is_online(range));
	KUNIT_EXPECT_NOT_NULL(test, blocks_get(test, hosts, 0)->altmap);
}

/* It would not end at the end of a page. */
static void odd_size_from_altmap_is_refused(struct kunit *test)
{
	struct vmem_altmap altmap = {
		.free = 2,
	};

	KUNIT_EXPECT_NULL(test, vmemmap_alloc_block_buf(PAGE_SIZE + 1, 0, &altmap));
	KUNIT_EXPECT_EQ(test, altmap.alloc, 0);
	KUNIT_EXPECT_EQ(test, altmap.align, 0);
}

static struct kunit_case misuse_cases[] = {
	KUNIT_CASE(remove_pages_misaligned_removes_nothing),
	KUNIT_CASE(add_pages_misaligned_is_refused),
	KUNIT_CASE(map_over_mapped_device_is_refused),
	KUNIT_CASE(map_over_system_ram_is_refused),
	KUNIT_CASE(map_of_no_range_is_refused),
	KUNIT_CASE(map_altmap_of_several_ranges_is_refused),
	KUNIT_CASE(map_of_unknown_type_warns),
	KUNIT_CASE_PARAM(map_memory_without_owner_is_refused, owned_types_gen_params),
	KUNIT_CASE(add_to_impossible_node_is_refused),
	KUNIT_CASE(remove_with_and_without_altmap_is_refused),
	KUNIT_CASE(odd_size_from_altmap_is_refused),
	{}
};

static struct kunit_suite misuse_suite = {
	.name = "mhp_misuse",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = misuse_cases,
};

kunit_test_suite(misuse_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * Memory hotplug without memory: one allocation after the other fails.  What
 * fails for it leaves nothing behind, and works when it is tried again.
 */

#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>

#include "blocks.h"
#include "failing.h"
#include "fake_device.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "reports.h"
#include "self_hosted.h"

/* Memory blocks, and how they are added. */
struct memory {
	struct fake_range range;
	mhp_t flags;
	int online_type;
};

static int add(void *arg)
{
	struct memory *memory = arg;

	return add_memory(0, memory->range.start, memory->range.size, memory->flags);
}

static int remove(void *arg)
{
	struct memory *memory = arg;

	return remove_memory(memory->range.start, memory->range.size);
}

static int block_online(struct memory_block *mem, void *arg)
{
	struct memory *memory = arg;

	mem->online_type = memory->online_type;
	return device_online(&mem->dev);
}

static int block_offline(struct memory_block *mem, void *arg)
{
	return device_offline(&mem->dev);
}

static int block_back_offline(struct memory_block *mem, void *arg)
{
	return mem->state == MEM_ONLINE ? device_offline(&mem->dev) : 0;
}

/* Blocks are independent: those before the one that fails are online. */
static int online(void *arg)
{
	struct memory *memory = arg;
	int err;

	lock_device_hotplug();
	err = walk_memory_blocks(memory->range.start, memory->range.size, memory, block_online);
	if (err)
		walk_memory_blocks(memory->range.start, memory->range.size, NULL,
				   block_back_offline);
	unlock_device_hotplug();
	return err;
}

static int offline(void *arg)
{
	struct memory *memory = arg;
	int err;

	lock_device_hotplug();
	err = walk_memory_blocks(memory->range.start, memory->range.size, NULL, block_offline);
	unlock_device_hotplug();
	return err;
}

/*
 *	| stays | of the case | of the case |
 *
 * What was there before has to survive the failures, too.  And it keeps the
 * page table of the direct map: init_memory_mapping() of x86 does not expect
 * that it could get none, and writes to where there is nothing.
 */
static struct fake_range with_neighbour(struct kunit *test, unsigned int nr_blocks)
{
	struct fake_range range = fake_range(test, 1 + nr_blocks);

	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 0), MHP_NONE), 0);
	return fake_sub_range(test, range, 1, nr_blocks);
}

static struct memory *memory(struct kunit *test, mhp_t flags)
{
	struct memory *memory = kunit_kzalloc(test, sizeof(*memory), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	memory->range = with_neighbour(test, 2);
	memory->flags = flags;
	memory->online_type = MMOP_ONLINE_MOVABLE;
	return memory;
}

static void expect_warning(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_FAULT_INJECTION_DEBUG_FS))
		reports_expect_failed_add(test);
}

static void expect_add_unwinds(struct kunit *test, mhp_t flags)
{
	struct memory *m = memory(test, flags);
	struct failing operation = { "add_memory", add, remove, m };

	fake_skip_without_series(test, "what a failed __add_pages() has added stays");
	expect_warning(test);
	KUNIT_EXPECT_GT(test, failing_each(test, &operation), 0);
	blocks_expect_absent(test, m->range);
}

static void expect_online_unwinds(struct kunit *test, mhp_t flags)
{
	struct memory *m = memory(test, flags);
	struct failing operation = { "device_online", online, offline, m };

	KUNIT_ASSERT_EQ(test, fake_add(test, m->range, flags), 0);
	failing_each(test, &operation);
	blocks_expect_state(test, m->range, MEM_OFFLINE);
}

static void add_memory_unwinds(struct kunit *test)
{
	expect_add_unwinds(test, MHP_NONE);
}

static void add_memory_memmap_on_memory_unwinds(struct kunit *test)
{
	blocks_need_memmap_on_memory(test, "Y");
	expect_add_unwinds(test, MHP_MEMMAP_ON_MEMORY);
}

static void add_memory_self_hosted_unwinds(struct kunit *test)
{
	self_hosted_mode(test);
	expect_add_unwinds(test, SELF_HOSTED);
}

static void online_unwinds(struct kunit *test)
{
	expect_online_unwinds(test, MHP_NONE);
}

static void online_memmap_on_memory_unwinds(struct kunit *test)
{
	blocks_need_memmap_on_memory(test, "Y");
	expect_online_unwinds(test, MHP_MEMMAP_ON_MEMORY);
}

static void online_self_hosted_unwinds(struct kunit *test)
{
	self_hosted_mode(test);
	expect_online_unwinds(test, SELF_HOSTED);
}

static void offline_unwinds(struct kunit *test)
{
	struct memory *m = memory(test, MHP_NONE);
	struct failing operation = { "device_offline", offline, online, m };

	KUNIT_ASSERT_EQ(test, fake_add(test, m->range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, m->range, m->online_type), 0);
	failing_each(test, &operation);
	blocks_expect_state(test, m->range, MEM_ONLINE);
}

static void remove_cannot_fail(struct kunit *test)
{
	struct memory *m = memory(test, MHP_NONE);
	struct failing operation = { "remove_memory", remove, add, m };

	KUNIT_ASSERT_EQ(test, fake_add(test, m->range, MHP_NONE), 0);
	failing_each(test, &operation);
	KUNIT_EXPECT_EQ(test, fake_remove(test, m->range), 0);
}

static int map(void *arg)
{
	struct fake_device *device = arg;

	return PTR_ERR_OR_ZERO(memremap_pages(device->pgmap, 0));
}

static int unmap(void *arg)
{
	struct fake_device *device = arg;

	memunmap_pages(device->pgmap);
	return 0;
}

static void map_device_unwinds(struct kunit *test)
{
	struct fake_range range = with_neighbour(test, 3);
	struct fake_range last = fake_block(test, range, 2);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, range.start,
						 fake_device_unit());
	struct failing operation = { "memremap_pages", map, unmap, device };

	fake_skip_without_series(test, "what a failed __add_pages() has added stays");
	expect_warning(test);
	fake_device_add_range(test, device, last.start, last.size);
	KUNIT_EXPECT_GT(test, failing_each(test, &operation), 0);
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(range.pfn, NULL));
}

static void map_device_altmap_unwinds(struct kunit *test)
{
	struct fake_range range = with_neighbour(test, 1);
	struct fake_device *device = fake_device(test, MEMORY_DEVICE_GENERIC, range.start,
						 range.size);
	struct failing operation = { "memremap_pages", map, unmap, device };

	fake_skip_without_series(test, "what a failed __add_pages() has added stays");
	expect_warning(test);
	fake_device_set_altmap(device, 0, fake_memmap_size(test, range.nr_pages));
	KUNIT_EXPECT_GT(test, failing_each(test, &operation), 0);
	KUNIT_EXPECT_NULL(test, get_dev_pagemap(range.pfn, NULL));
}

static struct kunit_case alloc_failure_cases[] = {
	KUNIT_CASE(add_memory_unwinds),
	KUNIT_CASE(add_memory_memmap_on_memory_unwinds),
	KUNIT_CASE(add_memory_self_hosted_unwinds),
	KUNIT_CASE(online_unwinds),
	KUNIT_CASE(online_memmap_on_memory_unwinds),
	KUNIT_CASE(online_self_hosted_unwinds),
	KUNIT_CASE(offline_unwinds),
	KUNIT_CASE(remove_cannot_fail),
	KUNIT_CASE(map_device_unwinds),
	KUNIT_CASE(map_device_altmap_unwinds),
	{}
};

static struct kunit_suite alloc_failure_suite = {
	.name = "mhp_alloc_failure",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = alloc_failure_cases,
};

kunit_test_suite(alloc_failure_suite);

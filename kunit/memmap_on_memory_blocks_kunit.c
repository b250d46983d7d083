// SPDX-License-Identifier: GPL-2.0
/*
 * Several memory blocks that hold their own memmap, next to each other and to
 * blocks that do not, and blocks that shall not hold it.
 */

#include <linux/device.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "contents.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "parameter.h"
#include "permutations.h"
#include "reports.h"

/* Where the struct page of the first and last page of the block is. */
static void expect_memmap_within(struct kunit *test, struct fake_range block, bool within)
{
	unsigned long backing, last = block.pfn + block.nr_pages - 1;

	KUNIT_EXPECT_EQ(test, !!blocks_get(test, block, 0)->altmap, within);
	if (!mhp_memmap_can_be_walked())
		return;
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(block.pfn, &backing));
	KUNIT_EXPECT_EQ(test, backing - block.pfn < block.nr_pages, within);
	KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(last, &backing));
	KUNIT_EXPECT_EQ(test, backing - block.pfn < block.nr_pages, within);
}

static void each_block_has_its_own_memmap(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	unsigned int i;

	blocks_need_memmap_on_memory(test, "Y");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	for (i = 0; i < 4; i++) {
		struct fake_range block = fake_block(test, range, i);

		expect_memmap_within(test, block, true);
		KUNIT_EXPECT_EQ(test, blocks_get(test, block, 0)->altmap->base_pfn, block.pfn);
	}
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/* The memmap of a block that is still there is never in one that is gone. */
static void blocks_are_removed_in_any_order(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	struct fake_range range = fake_range(test, 3);
	bool there[3] = { true, true, true };
	unsigned int i, k;

	blocks_need_memmap_on_memory(test, "Y");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	for (i = 0; i < 3; i++) {
		struct fake_range block = fake_block(test, range, order->nth[i]);

		KUNIT_ASSERT_EQ(test, fake_offline(test, block), 0);
		KUNIT_ASSERT_EQ(test, fake_remove(test, block), 0);
		there[order->nth[i]] = false;
		for (k = 0; k < 3; k++) {
			block = fake_block(test, range, k);
			if (there[k]) {
				blocks_expect_zone(test, block, ZONE_MOVABLE);
				expect_memmap_within(test, block, true);
			} else {
				blocks_expect_absent(test, block);
			}
		}
	}
}

/*
 *	| altmap | no altmap | altmap |		all in one zone
 */
static void blocks_with_and_without_altmap_are_neighbours(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	struct fake_range range = fake_range(test, 3);
	unsigned int i;

	blocks_need_memmap_on_memory(test, "Y");
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, i),
					       i == 1 ? MHP_NONE : MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
	for (i = 0; i < 3; i++)
		expect_memmap_within(test, fake_block(test, range, i), i != 1);
	for (i = 0; i < 3; i++) {
		struct fake_range block = fake_block(test, range, order->nth[i]);

		KUNIT_ASSERT_EQ(test, fake_offline(test, block), 0);
		KUNIT_ASSERT_EQ(test, fake_remove(test, block), 0);
		blocks_expect_absent(test, block);
	}
}

/* The flag is a wish. */
static void flag_is_ignored_when_switched_off(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long managed = zone_managed_pages(fake_zone(ZONE_NORMAL));

	if (!IS_ENABLED(CONFIG_MHP_MEMMAP_ON_MEMORY))
		kunit_skip(test, "CONFIG_MHP_MEMMAP_ON_MEMORY is not set");
	parameter_set(test, "memory_hotplug.memmap_on_memory", "N");
	KUNIT_EXPECT_FALSE(test, mhp_supports_memmap_on_memory());
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	expect_memmap_within(test, range, false);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(fake_zone(ZONE_NORMAL)) - managed,
			range.nr_pages);
}

static void block_without_flag_gets_no_altmap(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	blocks_need_memmap_on_memory(test, "Y");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	expect_memmap_within(test, range, false);
}

/*
 * A memmap that is no whole number of pageblocks: "force" wastes what is left
 * of the last one, and without it the flag is ignored.
 */
static void force_fills_pageblocks_up(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long size = fake_memmap_size(test, range.nr_pages);
	struct vmem_altmap *altmap;

	if (pageblock_aligned(size))
		kunit_skip(test, "the memmap of a memory block is a whole number of pageblocks");
	blocks_need_memmap_on_memory(test, "force");
	parameter_set(test, "memory_hotplug.memmap_on_memory", "Y");
	KUNIT_EXPECT_FALSE(test, mhp_supports_memmap_on_memory());
	parameter_set(test, "memory_hotplug.memmap_on_memory", "force");

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	altmap = blocks_get(test, range, 0)->altmap;
	KUNIT_ASSERT_NOT_NULL(test, altmap);
	KUNIT_EXPECT_EQ(test, altmap->alloc, size);
	KUNIT_EXPECT_EQ(test, altmap->free, pageblock_align(size));
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
}

/* The wasted pages were decided on when the block was added. */
static void mode_change_leaves_blocks_as_they_are(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long free;

	blocks_need_memmap_on_memory(test, "force");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	free = blocks_get(test, range, 0)->altmap->free;
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	parameter_set(test, "memory_hotplug.memmap_on_memory", "Y");
	KUNIT_EXPECT_EQ(test, blocks_get(test, range, 0)->altmap->free, free);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/*
 *	| added | added | its section is present already | not reached |
 */
static void add_memory_section_present_unwinds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	unsigned long pfn = fake_block(test, range, 2).pfn;

	blocks_need_memmap_on_memory(test, "Y");
	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, pfn, PAGES_PER_SECTION, NULL), 0);
	reports_expect_failed_add(test);
	KUNIT_EXPECT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), -EEXIST);
	fake_memmap_remove(test, pfn, PAGES_PER_SECTION);
	blocks_expect_absent(test, range);
	KUNIT_EXPECT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
}

static void remove_device(void *start)
{
	lock_device_hotplug();
	remove_memory_block_devices((uintptr_t)start, memory_block_size_bytes());
	unlock_device_hotplug();
}

/*
 *	| added | added | its device exists already | not reached |
 */
static void add_memory_block_exists_unwinds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	u64 third = fake_block(test, range, 2).start;
	int err;

	blocks_need_memmap_on_memory(test, "Y");
	lock_device_hotplug();
	err = create_memory_block_devices(third, memory_block_size_bytes(), NULL, NULL);
	unlock_device_hotplug();
	KUNIT_ASSERT_EQ(test, err, 0);
	fake_add_action(test, remove_device, (void *)(uintptr_t)third);

	/* Not validated now: a block without sections is no valid state. */
	KUNIT_EXPECT_EQ(test, add_memory(0, range.start, range.size, MHP_MEMMAP_ON_MEMORY),
			-EEXIST);
	fake_release_action(test, remove_device, (void *)(uintptr_t)third);
	mhp_validate(test, "add_memory");
	blocks_expect_absent(test, range);
	KUNIT_EXPECT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
}

/*
 * Memory that nobody can access before it is online holds its memmap, too: that
 * is not written until then.
 */
static void inaccessible_memory_is_not_written_before_online(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	const mhp_t flags = MHP_MEMMAP_ON_MEMORY | MHP_OFFLINE_INACCESSIBLE;

	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		kunit_skip(test, "a new memmap is written with CONFIG_DEBUG_VM only");
	fake_skip_without_series(test, "sparse_add_section() poisons inaccessible memory");
	blocks_need_memmap_on_memory(test, "Y");
	contents_leave(test, range);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, flags), 0);
	KUNIT_EXPECT_TRUE(test, blocks_get(test, range, 0)->altmap->inaccessible);
	KUNIT_EXPECT_TRUE(test, contents_left_alone(range));
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
}

static struct kunit_case memmap_on_memory_blocks_cases[] = {
	KUNIT_CASE(each_block_has_its_own_memmap),
	KUNIT_CASE_PARAM(blocks_are_removed_in_any_order, permutations_gen_params),
	KUNIT_CASE_PARAM(blocks_with_and_without_altmap_are_neighbours,
			 permutations_gen_params),
	KUNIT_CASE(flag_is_ignored_when_switched_off),
	KUNIT_CASE(block_without_flag_gets_no_altmap),
	KUNIT_CASE(force_fills_pageblocks_up),
	KUNIT_CASE(mode_change_leaves_blocks_as_they_are),
	KUNIT_CASE(add_memory_section_present_unwinds),
	KUNIT_CASE(add_memory_block_exists_unwinds),
	KUNIT_CASE(inaccessible_memory_is_not_written_before_online),
	{}
};

static struct kunit_suite memmap_on_memory_blocks_suite = {
	.name = "mhp_memmap_on_memory_blocks",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = memmap_on_memory_blocks_cases,
};

kunit_test_suite(memmap_on_memory_blocks_suite);

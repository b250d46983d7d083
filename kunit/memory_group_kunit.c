// SPDX-License-Identifier: GPL-2.0
/*
 * Memory groups: the memory blocks of one device know of each other, and the
 * policy auto-movable treats them as a whole.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "parameter.h"

static void unregister_group(void *id)
{
	int err = memory_group_unregister((uintptr_t)id);

	WARN(err, "memory group %lu not unregistered: error %d\n", (uintptr_t)id, err);
}

/* Unregisters it after the fixture has removed the blocks. */
static struct memory_group *own_group(struct kunit *test, int id)
{
	struct memory_group *group;

	KUNIT_ASSERT_GE(test, id, 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_group,
							(void *)(uintptr_t)id), 0);
	group = memory_group_find_by_id(id);
	KUNIT_ASSERT_NOT_NULL(test, group);
	return group;
}

static int static_group(struct kunit *test, unsigned long max_pages)
{
	int id = memory_group_register_static(0, max_pages);

	own_group(test, id);
	return id;
}

static int dynamic_group(struct kunit *test, unsigned long unit_pages)
{
	int id = memory_group_register_dynamic(0, unit_pages);

	own_group(test, id);
	return id;
}

static int add_to_group(struct kunit *test, int id, struct fake_range range)
{
	int err = add_memory(id, range.start, range.size, MHP_NID_IS_MGID);

	mhp_validate(test, "add_memory");
	return err;
}

static void expect_present(struct kunit *test, int id, unsigned long kernel_pages,
			   unsigned long movable_pages)
{
	struct memory_group *group = memory_group_find_by_id(id);

	KUNIT_EXPECT_EQ(test, group->present_kernel_pages, kernel_pages);
	KUNIT_EXPECT_EQ(test, group->present_movable_pages, movable_pages);
}

static void register_group_bad_size_is_refused(struct kunit *test)
{
	unsigned long block = PHYS_PFN(memory_block_size_bytes());

	KUNIT_EXPECT_EQ(test, memory_group_register_static(0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(0, block / 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(0, 3 * block), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(0, 2 * block - 1), -EINVAL);
}

static void register_group_of_impossible_node_is_refused(struct kunit *test)
{
	unsigned long block = PHYS_PFN(memory_block_size_bytes());
	int nid = MAX_NUMNODES > 1 ? MAX_NUMNODES - 1 : 1;

	if (node_possible(nid))
		kunit_skip(test, "all nodes are possible");
	KUNIT_EXPECT_EQ(test, memory_group_register_static(nid, block), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_register_dynamic(nid, block), -EINVAL);
}

static void unregister_unknown_group_is_refused(struct kunit *test)
{
	int id = memory_group_register_static(0, 1);

	KUNIT_ASSERT_GE(test, id, 0);
	KUNIT_EXPECT_EQ(test, memory_group_unregister(id), 0);
	KUNIT_EXPECT_NULL(test, memory_group_find_by_id(id));
	KUNIT_EXPECT_EQ(test, memory_group_unregister(id), -EINVAL);
	KUNIT_EXPECT_EQ(test, memory_group_unregister(-1), -EINVAL);
}

/* It has members, if only offline ones, until the last one is removed. */
static void unregister_group_with_blocks_is_busy(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	int id = static_group(test, range.nr_pages);

	KUNIT_ASSERT_EQ(test, add_to_group(test, id, range), 0);
	KUNIT_EXPECT_EQ(test, memory_group_unregister(id), -EBUSY);
	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 0)), 0);
	KUNIT_EXPECT_EQ(test, memory_group_unregister(id), -EBUSY);
	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 1)), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&memory_group_find_by_id(id)->memory_blocks));
}

static void added_blocks_join_their_group(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	unsigned long block = PHYS_PFN(memory_block_size_bytes());
	int first = dynamic_group(test, block), second = static_group(test, 2 * block);
	struct memory_block *alone;

	KUNIT_ASSERT_EQ(test, add_to_group(test, first, fake_block(test, range, 0)), 0);
	KUNIT_ASSERT_EQ(test, add_to_group(test, second, fake_sub_range(test, range, 1, 2)), 0);
	alone = blocks_get(test, range, 0);
	KUNIT_EXPECT_PTR_EQ(test, alone->group, memory_group_find_by_id(first));
	KUNIT_EXPECT_TRUE(test, list_is_singular(&memory_group_find_by_id(first)->memory_blocks));
	KUNIT_EXPECT_PTR_EQ(test, blocks_get(test, range, 1)->group,
			    memory_group_find_by_id(second));
	KUNIT_EXPECT_PTR_EQ(test, blocks_get(test, range, 2)->group,
			    memory_group_find_by_id(second));
	KUNIT_EXPECT_EQ(test, list_count_nodes(&memory_group_find_by_id(second)->memory_blocks),
			2);
}

/* Memory that could not be added is not left in the group. */
static void failed_add_does_not_join_group(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	int id = static_group(test, range.nr_pages);

	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 1), MHP_NONE), 0);
	KUNIT_EXPECT_EQ(test, add_to_group(test, id, range), -EEXIST);
	KUNIT_EXPECT_TRUE(test, list_empty(&memory_group_find_by_id(id)->memory_blocks));
	KUNIT_EXPECT_NULL(test, blocks_get(test, range, 1)->group);
}

static void group_counts_present_pages_by_zone(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	unsigned long block = PHYS_PFN(memory_block_size_bytes());
	int id = static_group(test, range.nr_pages);

	KUNIT_ASSERT_EQ(test, add_to_group(test, id, range), 0);
	expect_present(test, id, 0, 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_KERNEL), 0);
	expect_present(test, id, block, 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_sub_range(test, range, 2, 2),
					  MMOP_ONLINE_MOVABLE), 0);
	expect_present(test, id, block, 2 * block);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 2)), 0);
	expect_present(test, id, block, block);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 0)), 0);
	expect_present(test, id, 0, block);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 3)), 0);
	expect_present(test, id, 0, 0);
}

/* Also what is not managed: the block's memmap is present memory of the block. */
static void group_counts_memmap_on_memory(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	int id = static_group(test, range.nr_pages);

	blocks_need_memmap_on_memory(test, "Y");
	KUNIT_ASSERT_EQ(test, add_memory(id, range.start, range.size,
					 MHP_NID_IS_MGID | MHP_MEMMAP_ON_MEMORY), 0);
	mhp_validate(test, "add_memory");
	KUNIT_ASSERT_NOT_NULL(test, blocks_get(test, range, 0)->altmap);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	expect_present(test, id, range.nr_pages, 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	expect_present(test, id, 0, 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	expect_present(test, id, 0, range.nr_pages);
}

/* A DIMM goes to ZONE_MOVABLE as a whole, or not at all. */
static void auto_movable_static_group_too_large_goes_to_kernel(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long boot_pages = NODE_DATA(0)->node_present_pages;
	int fits = static_group(test, range.nr_pages);
	int too_large = static_group(test, 8 * (boot_pages + range.nr_pages));

	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");
	KUNIT_ASSERT_EQ(test, add_to_group(test, too_large, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);

	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	KUNIT_ASSERT_EQ(test, add_to_group(test, fits, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_MOVABLE);
}

/* Once a block of it is in a kernel zone, so are the others. */
static void auto_movable_static_group_stays_in_kernel(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	int id = static_group(test, range.nr_pages);

	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");
	KUNIT_ASSERT_EQ(test, add_to_group(test, id, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 1),
					  MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0), MMOP_ONLINE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 2), MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
}

/*
 * In a dynamic group it is the unit that keeps together:
 *
 *	| unit          | unit             |
 *	| kernel | auto | movable ... auto |
 */
static void auto_movable_dynamic_group_keeps_units_together(struct kunit *test)
{
	struct fake_range all = fake_range(test, 6);
	unsigned long block = PHYS_PFN(memory_block_size_bytes());
	unsigned int skew = all.pfn / block % 2;
	struct fake_range units = fake_sub_range(test, all, skew, 4);
	int id = dynamic_group(test, 2 * block);

	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");
	KUNIT_ASSERT_EQ(test, add_to_group(test, id, units), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, units, 0),
					  MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, units, 1), MMOP_ONLINE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, units, 2),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, units, 3), MMOP_ONLINE), 0);
	blocks_expect_zone(test, fake_sub_range(test, units, 0, 2), ZONE_NORMAL);
	blocks_expect_zone(test, fake_sub_range(test, units, 2, 2), ZONE_MOVABLE);
}

/*
 *	| other group, movable | this group, auto |
 *
 * What is movable in a dynamic group counts against the kernel memory that all
 * have: at half as much again as a block takes, there is room for one only.
 */
static void auto_movable_counts_other_dynamic_groups(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	unsigned long early = 0, block = PHYS_PFN(memory_block_size_bytes());
	int other = dynamic_group(test, block), group = dynamic_group(test, block);
	struct zone *zone;
	char ratio[12];

	for_each_populated_zone(zone)
		early += zone->present_early_pages;
	/* Boot memory differs in size; from 3 on, rounding does not matter. */
	if (block * 150 / early < 3)
		kunit_skip(test, "a block is too small a part of the memory for percents");
	snprintf(ratio, sizeof(ratio), "%lu", block * 150 / early);
	parameter_set(test, "memory_hotplug.auto_movable_ratio", ratio);
	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");

	KUNIT_ASSERT_EQ(test, add_to_group(test, group, fake_block(test, range, 0)), 0);
	KUNIT_ASSERT_EQ(test, add_to_group(test, other, fake_block(test, range, 1)), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0), MMOP_ONLINE), 0);
	blocks_expect_zone(test, fake_block(test, range, 0), ZONE_MOVABLE);
	KUNIT_ASSERT_EQ(test, fake_offline(test, fake_block(test, range, 0)), 0);

	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 1),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0), MMOP_ONLINE), 0);
	blocks_expect_zone(test, fake_block(test, range, 0), ZONE_NORMAL);
}

static void unknown_policy_is_refused(struct kunit *test)
{
	parameter_expect_refused(test, "memory_hotplug.online_policy", "auto");
	parameter_expect_refused(test, "memory_hotplug.memmap_on_memory", "perhaps");
}

static struct kunit_case memory_group_cases[] = {
	KUNIT_CASE(register_group_bad_size_is_refused),
	KUNIT_CASE(register_group_of_impossible_node_is_refused),
	KUNIT_CASE(unregister_unknown_group_is_refused),
	KUNIT_CASE(unregister_group_with_blocks_is_busy),
	KUNIT_CASE(added_blocks_join_their_group),
	KUNIT_CASE(failed_add_does_not_join_group),
	KUNIT_CASE(group_counts_present_pages_by_zone),
	KUNIT_CASE(group_counts_memmap_on_memory),
	KUNIT_CASE(auto_movable_static_group_too_large_goes_to_kernel),
	KUNIT_CASE(auto_movable_static_group_stays_in_kernel),
	KUNIT_CASE(auto_movable_dynamic_group_keeps_units_together),
	KUNIT_CASE(auto_movable_counts_other_dynamic_groups),
	KUNIT_CASE(unknown_policy_is_refused),
	{}
};

static struct kunit_suite memory_group_suite = {
	.name = "mhp_memory_group",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = memory_group_cases,
};

kunit_test_suite(memory_group_suite);

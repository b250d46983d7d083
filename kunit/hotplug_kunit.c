// SPDX-License-Identifier: GPL-2.0
/*
 * Memory is added and removed: add_memory(), remove_memory() and
 * offline_and_remove_memory().  See hotplug_error_kunit.c for what they refuse.
 */

#include <linux/device.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "blocks.h"
#include "contents.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "permutations.h"

/* Offline: nothing of it is in a zone or can be allocated. */
static void add_memory_makes_offline_blocks(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	unsigned long present = NODE_DATA(0)->node_present_pages;

	blocks_expect_absent(test, range);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	blocks_expect_state(test, range, MEM_OFFLINE);
	blocks_expect_resource(test, range, "System RAM", 0);
	KUNIT_EXPECT_NULL(test, blocks_get(test, range, 0)->zone);
	KUNIT_EXPECT_EQ(test, blocks_get(test, range, 0)->nid,
			IS_ENABLED(CONFIG_NUMA) ? 0 : NUMA_NO_NODE);
	KUNIT_EXPECT_NULL(test, pfn_to_online_page(range.pfn));
	KUNIT_EXPECT_EQ(test, NODE_DATA(0)->node_present_pages, present);

	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/* For callers that hold the device hotplug lock. */
static void __add_memory_makes_offline_blocks(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	int err;

	lock_device_hotplug();
	err = __add_memory(0, range.start, range.size, MHP_NONE);
	unlock_device_hotplug();
	mhp_validate(test, "__add_memory");
	KUNIT_ASSERT_EQ(test, err, 0);
	blocks_expect_state(test, range, MEM_OFFLINE);

	lock_device_hotplug();
	__remove_memory(range.start, range.size);
	unlock_device_hotplug();
	mhp_validate(test, "__remove_memory");
	blocks_expect_absent(test, range);
}

static void add_memory_again_after_removal(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
		KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
		blocks_expect_zone(test, range, ZONE_NORMAL);
		KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
		KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
		blocks_expect_absent(test, range);
	}
}

/*
 * Removal need not be of what was added in one call:
 *
 *	| 0 | 1 | 2 | 3 |  ->  | 0 |   |   | 3 |
 */
static void remove_memory_in_the_middle(struct kunit *test)
{
	struct fake_range range = fake_range(test, 4);
	struct fake_range middle = fake_sub_range(test, range, 1, 2);
	struct fake_range first = fake_block(test, range, 0);
	struct fake_range last = fake_block(test, range, 3);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, first, MMOP_ONLINE), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, middle), 0);
	blocks_expect_absent(test, middle);
	blocks_expect_zone(test, first, ZONE_NORMAL);
	blocks_expect_state(test, last, MEM_OFFLINE);
	blocks_expect_resource(test, first, "System RAM", 0);
	blocks_expect_resource(test, last, "System RAM", 0);
}

/* One call may also remove what several calls added. */
static void remove_memory_of_several_adds(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	unsigned int i;

	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, i),
					       MHP_MERGE_RESOURCE), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/* Added in the order 0, 1, 2; all of them were online. */
static void remove_memory_in_any_order(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	struct fake_range range = fake_range(test, 3);
	bool there[3] = { true, true, true };
	unsigned int i, k;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	for (i = 0; i < 3; i++) {
		struct fake_range block = fake_block(test, range, order->nth[i]);

		KUNIT_ASSERT_EQ(test, fake_offline(test, block), 0);
		KUNIT_ASSERT_EQ(test, fake_remove(test, block), 0);
		there[order->nth[i]] = false;
		for (k = 0; k < 3; k++) {
			block = fake_block(test, range, k);
			if (there[k])
				blocks_expect_zone(test, block, ZONE_MOVABLE);
			else
				blocks_expect_absent(test, block);
		}
	}
}

/* One online block is enough: the offline ones before it stay, too. */
static void remove_memory_online_is_busy(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range offline = fake_sub_range(test, range, 0, 2);
	struct fake_range online = fake_block(test, range, 2);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, online, MMOP_ONLINE), 0);
	KUNIT_EXPECT_EQ(test, fake_remove(test, range), -EBUSY);
	blocks_expect_state(test, offline, MEM_OFFLINE);
	blocks_expect_zone(test, online, ZONE_NORMAL);
	blocks_expect_resource(test, range, "System RAM", 0);

	KUNIT_ASSERT_EQ(test, fake_offline(test, online), 0);
	KUNIT_EXPECT_EQ(test, fake_remove(test, range), 0);
}

static int offline_and_remove(struct kunit *test, u64 start, u64 size)
{
	int err = offline_and_remove_memory(start, size);

	mhp_validate(test, "offline_and_remove_memory");
	return err;
}

/* The blocks may be in any zone, and some of them offline already. */
static void offline_and_remove_memory_of_any_state(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 2),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start, range.size), 0);
	blocks_expect_absent(test, range);
}

/*
 *	| kernel | offline | movable | kernel, a page is in use | movable |
 *
 * The first three are offline by the time the fourth turns out to be in use.
 */
static void offline_and_remove_memory_busy_brings_all_back(struct kunit *test)
{
	struct fake_range range = fake_range(test, 5);
	struct fake_range busy = fake_block(test, range, 3);
	struct mhp_state before, after;
	struct held *held;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 2),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, busy, MMOP_ONLINE_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 4),
					  MMOP_ONLINE_MOVABLE), 0);
	held = contents_hold(test, busy.pfn + busy.nr_pages / 2, 1);

	mhp_state_take(&before);
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start, range.size), -EBUSY);
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
	blocks_expect_zone(test, fake_block(test, range, 0), ZONE_NORMAL);
	blocks_expect_state(test, fake_block(test, range, 1), MEM_OFFLINE);
	blocks_expect_zone(test, fake_block(test, range, 2), ZONE_MOVABLE);
	blocks_expect_zone(test, busy, ZONE_NORMAL);
	blocks_expect_zone(test, fake_block(test, range, 4), ZONE_MOVABLE);

	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start, range.size), 0);
}

static void offline_and_remove_memory_misaligned_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	u64 half = range.size / 4;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start, half), -EINVAL);
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start + half, 2 * half), -EINVAL);
	blocks_expect_zone(test, range, ZONE_NORMAL);
}

/* All at once, then every tenth one online, then all at once again. */
static void add_memory_40_blocks(struct kunit *test)
{
	struct fake_range range = fake_range(test, 40);
	unsigned long memmap = PHYS_PFN(range.nr_pages * sizeof(struct page));
	unsigned int i;

	if (memmap > global_zone_page_state(NR_FREE_PAGES) / 2)
		kunit_skip(test, "too little free memory for the memmap of 40 memory blocks");

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	blocks_expect_state(test, range, MEM_OFFLINE);
	for (i = 0; i < 40; i += 10)
		KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, i),
						  i % 20 ? MMOP_ONLINE_KERNEL :
							  MMOP_ONLINE_MOVABLE), 0);
	for (i = 0; i < 40; i++)
		blocks_expect_state(test, fake_block(test, range, i),
				    i % 10 ? MEM_OFFLINE : MEM_ONLINE);
	KUNIT_ASSERT_EQ(test, offline_and_remove(test, range.start, range.size), 0);
	blocks_expect_absent(test, range);
}

/*
 *	| movable | movable, a page is in use |
 *
 * The first one goes offline, and nobody lets it come back.
 */
static void offline_and_remove_memory_rollback_vetoed(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	struct fake_range first = fake_block(test, range, 0), busy = fake_block(test, range, 1);
	struct listener *listener;
	struct held *held;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	held = contents_hold(test, busy.pfn, 1);
	listener = listener_add(test, 0);
	listener->err = -EPERM;
	listener->veto = MEM_GOING_ONLINE;
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start, range.size), -EBUSY);
	blocks_expect_state(test, first, MEM_OFFLINE);
	blocks_expect_state(test, busy, MEM_ONLINE);
	listener->veto = 0;
	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, offline_and_remove(test, range.start, range.size), 0);
}

static struct kunit_case hotplug_cases[] = {
	KUNIT_CASE(add_memory_makes_offline_blocks),
	KUNIT_CASE(__add_memory_makes_offline_blocks),
	KUNIT_CASE(add_memory_again_after_removal),
	KUNIT_CASE(remove_memory_in_the_middle),
	KUNIT_CASE(remove_memory_of_several_adds),
	KUNIT_CASE_PARAM(remove_memory_in_any_order, permutations_gen_params),
	KUNIT_CASE(remove_memory_online_is_busy),
	KUNIT_CASE(offline_and_remove_memory_of_any_state),
	KUNIT_CASE(offline_and_remove_memory_busy_brings_all_back),
	KUNIT_CASE(offline_and_remove_memory_misaligned_is_refused),
	KUNIT_CASE(add_memory_40_blocks),
	KUNIT_CASE(offline_and_remove_memory_rollback_vetoed),
	{}
};

static struct kunit_suite hotplug_suite = {
	.name = "mhp_hotplug",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = hotplug_cases,
};

kunit_test_suite(hotplug_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of nodes that have none: they go online with the first memory block
 * that is added and offline with the last one that is removed.
 *
 * The first memory of a node brings a kswapd with it, whose task_struct comes from
 * the node: from a kernel zone it would keep the memory online.  So that is
 * ZONE_MOVABLE here.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/nodemask.h>

#include "blocks.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "parameter.h"
#include "self_hosted.h"
#include "sysfs.h"

static int offline_node(struct kunit *test)
{
	int nid;

	for_each_node(nid) {
		if (!node_online(nid))
			return nid;
	}
	kunit_skip(test, "all possible nodes are online: CONFIG_NUMA is not set, or uml_nodes= names all");
	return NUMA_NO_NODE;
}

static int add_flags(struct kunit *test, int nid, struct fake_range range, mhp_t flags)
{
	int err = add_memory(nid, range.start, range.size, flags);

	mhp_validate(test, "add_memory");
	return err;
}

static int add(struct kunit *test, int nid, struct fake_range range)
{
	return add_flags(test, nid, range, MHP_NONE);
}

static void expect_node(struct kunit *test, int nid, bool online, bool has_memory)
{
	KUNIT_EXPECT_EQ_MSG(test, node_online(nid), online, "node %d online", nid);
	KUNIT_EXPECT_EQ_MSG(test, node_state(nid, N_MEMORY), has_memory, "node %d N_MEMORY", nid);
	KUNIT_EXPECT_EQ(test, sysfs_exists(test, "devices/system/node/node%d", nid), online);
}

static bool is_linked(struct kunit *test, struct fake_range block, int nid)
{
	u64 id = block.start / memory_block_size_bytes();

	return sysfs_exists(test, "devices/system/memory/memory%llu/node%d", id, nid) &&
	       sysfs_exists(test, "devices/system/node/node%d/memory%llu", nid, id);
}

static void add_memory_onlines_node(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 2);
	struct fake_range first = fake_block(test, range, 0);
	struct fake_range second = fake_block(test, range, 1);
	unsigned long present = NODE_DATA(0)->node_present_pages;

	expect_node(test, nid, false, false);
	KUNIT_ASSERT_EQ(test, add(test, nid, range), 0);
	expect_node(test, nid, true, false);
	KUNIT_EXPECT_EQ(test, blocks_get(test, range, 0)->nid, nid);
	KUNIT_EXPECT_TRUE(test, is_linked(test, first, nid));
	KUNIT_EXPECT_FALSE(test, is_linked(test, first, 0));

	KUNIT_ASSERT_EQ(test, fake_online(test, first, MMOP_ONLINE_MOVABLE), 0);
	expect_node(test, nid, true, true);
	blocks_expect_zone(test, first, ZONE_MOVABLE);
	KUNIT_EXPECT_EQ(test, page_to_nid(pfn_to_page(range.pfn)), nid);
	KUNIT_EXPECT_EQ(test, NODE_DATA(nid)->node_present_pages, first.nr_pages);
	KUNIT_EXPECT_EQ(test, NODE_DATA(nid)->node_spanned_pages, first.nr_pages);
	KUNIT_EXPECT_EQ(test, NODE_DATA(0)->node_present_pages, present);

	KUNIT_ASSERT_EQ(test, fake_offline(test, first), 0);
	expect_node(test, nid, true, false);
	KUNIT_EXPECT_EQ(test, NODE_DATA(nid)->node_spanned_pages, 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, first), 0);
	expect_node(test, nid, true, false);
	KUNIT_ASSERT_EQ(test, fake_remove(test, second), 0);
	expect_node(test, nid, false, false);
}

/*
 *	| VV  of the node |
 *
 * Nothing of it is in another node, and the pages that hold its memmap say so from
 * the beginning: whoever adds the memory has given the node.
 */
static void vmemmap_pages_belong_to_node(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 1);
	unsigned long pfn, end = range.pfn + self_hosted_vmemmap_pages(test);

	self_hosted_mode(test);
	KUNIT_ASSERT_EQ(test, add_flags(test, nid, range, SELF_HOSTED), 0);
	self_hosted_expect(test, range);
	for (pfn = range.pfn; pfn < end; pfn++)
		KUNIT_ASSERT_EQ(test, page_to_nid(pfn_to_page(pfn)), nid);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	for (pfn = range.pfn; pfn < end; pfn++)
		KUNIT_ASSERT_EQ(test, page_to_nid(pfn_to_page(pfn)), nid);
	self_hosted_expect(test, range);
}

/* An allocation that asks for the node gets its memory from there. */
static void node_memory_is_allocated_from_it(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 1);
	struct page *page;

	KUNIT_ASSERT_EQ(test, add(test, nid, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	page = alloc_pages_node(nid, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, 0);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_LT(test, page_to_pfn(page) - range.pfn, range.nr_pages);
	KUNIT_EXPECT_EQ(test, page_to_nid(page), nid);
	__free_page(page);
}

/* The first and the last block of a node tell so; it never has memory in ZONE_NORMAL. */
static void notifications_tell_node_changes(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 2);
	struct listener *listener = listener_add(test, 0);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, add(test, nid, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, listener->nr_events, 12);
	for (i = 0; i < 12; i++) {
		unsigned long action = listener->events[i].action;
		bool changes = i < 3 || i > 8;

		if (action == MEM_PREPARE_ONLINE || action == MEM_FINISH_OFFLINE)
			continue;
		KUNIT_EXPECT_EQ_MSG(test, listener->events[i].arg.status_change_nid,
				    changes ? nid : NUMA_NO_NODE, "notification %u", i);
		KUNIT_EXPECT_EQ_MSG(test, listener->events[i].arg.status_change_nid_normal,
				    NUMA_NO_NODE, "notification %u", i);
	}
}

static void failed_add_leaves_node_offline(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_memmap_add(test, range.pfn, PAGES_PER_SECTION, NULL), 0);
	KUNIT_EXPECT_EQ(test, add(test, nid, range), -EEXIST);
	expect_node(test, nid, false, false);
	fake_memmap_remove(test, range.pfn, PAGES_PER_SECTION);
	KUNIT_EXPECT_EQ(test, add(test, nid, range), 0);
	expect_node(test, nid, true, false);
}

static void unregister_group(void *id)
{
	int err = memory_group_unregister((uintptr_t)id);

	WARN(err, "memory group %lu not unregistered: error %d\n", (uintptr_t)id, err);
}

static int own_group(struct kunit *test, int id)
{
	KUNIT_ASSERT_GE(test, id, 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister_group,
							(void *)(uintptr_t)id), 0);
	return id;
}

/*
 * Its own kernel memory is what an aware policy compares with, and it has none.
 * A group of another node does not count.
 */
static void auto_movable_looks_at_node(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 2);
	struct fake_range first = fake_block(test, range, 0);
	struct fake_range second = fake_block(test, range, 1);

	own_group(test, memory_group_register_dynamic(0, first.nr_pages));
	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");
	KUNIT_ASSERT_EQ(test, add(test, nid, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, first, MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, second, MMOP_ONLINE), 0);
	blocks_expect_zone(test, second, ZONE_NORMAL);
	KUNIT_ASSERT_EQ(test, fake_offline(test, second), 0);
	parameter_set(test, "memory_hotplug.auto_movable_numa_aware", "N");
	KUNIT_ASSERT_EQ(test, fake_online(test, second, MMOP_ONLINE), 0);
	blocks_expect_zone(test, second, ZONE_MOVABLE);
}

static void group_decides_on_node(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 1);
	int id = own_group(test, memory_group_register_static(nid, range.nr_pages));

	KUNIT_ASSERT_EQ(test, add_memory(id, range.start, range.size, MHP_NID_IS_MGID), 0);
	mhp_validate(test, "add_memory");
	KUNIT_EXPECT_EQ(test, blocks_get(test, range, 0)->nid, nid);
	expect_node(test, nid, true, false);
}

static void expect_movable_span(struct kunit *test, int nid, unsigned long start, unsigned long nr)
{
	struct zone *zone = &NODE_DATA(nid)->node_zones[ZONE_MOVABLE];

	KUNIT_EXPECT_EQ(test, zone->zone_start_pfn, start);
	KUNIT_EXPECT_EQ(test, zone->spanned_pages, nr);
}

/*
 *	| node 1 | node 0 | node 1 |	all movable
 *
 * What is left of node 1 is what its zone spans, and nothing of node 0.
 */
static void node_shrinks_past_memory_of_another(struct kunit *test)
{
	int nid = offline_node(test);
	struct fake_range range = fake_range(test, 3);
	struct fake_range first = fake_block(test, range, 0);
	struct fake_range last = fake_block(test, range, 2);

	KUNIT_ASSERT_EQ(test, add(test, nid, first), 0);
	KUNIT_ASSERT_EQ(test, add(test, 0, fake_block(test, range, 1)), 0);
	KUNIT_ASSERT_EQ(test, add(test, nid, last), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	expect_movable_span(test, nid, range.pfn, range.nr_pages);

	KUNIT_ASSERT_EQ(test, fake_offline(test, first), 0);
	expect_movable_span(test, nid, last.pfn, last.nr_pages);
	KUNIT_ASSERT_EQ(test, fake_online(test, first, MMOP_ONLINE_MOVABLE), 0);
	expect_movable_span(test, nid, range.pfn, range.nr_pages);
	KUNIT_ASSERT_EQ(test, fake_offline(test, last), 0);
	expect_movable_span(test, nid, first.pfn, first.nr_pages);
}

/* For those who need the node before it has memory, or without. */
static void node_without_memory_goes_online_and_offline(struct kunit *test)
{
	int nid = offline_node(test);

	KUNIT_ASSERT_EQ(test, try_online_node(nid), 0);
	mhp_validate(test, "try_online_node");
	expect_node(test, nid, true, false);
	KUNIT_EXPECT_EQ(test, try_online_node(nid), 0);

	lock_device_hotplug();
	try_offline_node(nid);
	unlock_device_hotplug();
	mhp_validate(test, "try_offline_node");
	expect_node(test, nid, false, false);
}

static struct kunit_case hotplug_node_cases[] = {
	KUNIT_CASE(add_memory_onlines_node),
	KUNIT_CASE(vmemmap_pages_belong_to_node),
	KUNIT_CASE(node_memory_is_allocated_from_it),
	KUNIT_CASE(notifications_tell_node_changes),
	KUNIT_CASE(failed_add_leaves_node_offline),
	KUNIT_CASE(auto_movable_looks_at_node),
	KUNIT_CASE(group_decides_on_node),
	KUNIT_CASE(node_shrinks_past_memory_of_another),
	KUNIT_CASE(node_without_memory_goes_online_and_offline),
	{}
};

static struct kunit_suite hotplug_node_suite = {
	.name = "mhp_hotplug_node",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = hotplug_node_cases,
};

kunit_test_suite(hotplug_node_suite);

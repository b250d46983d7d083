// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that goes online as it is added: the default online type, and the
 * policies that choose a zone.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "parameter.h"
#include "sysfs.h"

#define AUTO_ONLINE_BLOCKS	"devices/system/memory/auto_online_blocks"

static void reset_default_online_type(void *old)
{
	mhp_set_default_online_type((uintptr_t)old);
}

static void set_default_online_type(struct kunit *test, enum mmop type)
{
	void *old = (void *)(uintptr_t)mhp_get_default_online_type();

	fake_add_action(test, reset_default_online_type, old);
	mhp_set_default_online_type(type);
}

struct auto_online {
	enum mmop type;
	const char *name;
	enum zone_type zone;
};

static const struct auto_online auto_onlines[] = {
	{ MMOP_ONLINE, "online", ZONE_NORMAL },
	{ MMOP_ONLINE_KERNEL, "online_kernel", ZONE_NORMAL },
	{ MMOP_ONLINE_MOVABLE, "online_movable", ZONE_MOVABLE },
};

KUNIT_ARRAY_PARAM_DESC(auto_onlines, auto_onlines, name);

static void default_online_type_onlines_blocks(struct kunit *test)
{
	const struct auto_online *p = test->param_value;
	struct fake_range range = fake_range(test, 3);

	set_default_online_type(test, p->type);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	blocks_expect_zone(test, range, p->zone);
	KUNIT_EXPECT_EQ(test, fake_remove(test, range), -EBUSY);
}

static void default_online_type_offline_leaves_blocks(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	set_default_online_type(test, MMOP_OFFLINE);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	blocks_expect_state(test, range, MEM_OFFLINE);
}

/* A block that is onlined later, and without a type, goes where contig-zones says. */
static void default_online_type_is_for_added_memory_only(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	set_default_online_type(test, MMOP_ONLINE_MOVABLE);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_OFFLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
}

static void auto_online_blocks_sets_default_online_type(struct kunit *test)
{
	const struct auto_online *p = test->param_value;

	set_default_online_type(test, MMOP_OFFLINE);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, AUTO_ONLINE_BLOCKS), "offline");
	KUNIT_EXPECT_EQ(test, sysfs_write(test, p->name, AUTO_ONLINE_BLOCKS), 0);
	KUNIT_EXPECT_EQ(test, mhp_get_default_online_type(), p->type);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, AUTO_ONLINE_BLOCKS), p->name);
	KUNIT_EXPECT_EQ(test, sysfs_write(test, "sometimes", AUTO_ONLINE_BLOCKS), -EINVAL);
	KUNIT_EXPECT_EQ(test, mhp_get_default_online_type(), p->type);
}

static void veto_second_block(struct listener *l, unsigned long action)
{
	if (action == MEM_GOING_ONLINE)
		l->veto = ++*(int *)l->private == 2 ? MEM_GOING_ONLINE : 0;
}

/*
 * The memory is added all the same, and is left as far as it came:
 *
 *	| online | vetoed: offline | offline |
 */
static void auto_online_vetoed_leaves_rest_offline(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct listener *listener = listener_add(test, 0);

	listener->err = -ENOMEM;
	listener->on_event = veto_second_block;
	listener->private = kunit_kzalloc(test, sizeof(int), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, listener->private);
	set_default_online_type(test, MMOP_ONLINE_MOVABLE);
	KUNIT_EXPECT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	blocks_expect_zone(test, fake_block(test, range, 0), ZONE_MOVABLE);
	blocks_expect_state(test, fake_sub_range(test, range, 1, 2), MEM_OFFLINE);
}

/* With the policy contig-zones, "online" follows the zone around the block. */
static void contig_zones_follows_neighbours(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range middle = fake_block(test, range, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 2),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, middle, MMOP_ONLINE), 0);
	blocks_expect_zone(test, middle, ZONE_MOVABLE);

	/* An order to use a kernel zone is an order, even inside of the other. */
	KUNIT_ASSERT_EQ(test, fake_offline(test, middle), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, middle, MMOP_ONLINE_KERNEL), 0);
	blocks_expect_zone(test, middle, ZONE_NORMAL);
}

/* Boot memory allows for three times as much that is movable. */
static void auto_movable_onlines_within_ratio_movable(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_MOVABLE);
}

static void auto_movable_ratio_zero_onlines_to_kernel(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");
	parameter_set(test, "memory_hotplug.auto_movable_ratio", "0");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
}

/* The policy is for those who do not care; an order is an order. */
static void auto_movable_does_not_overrule_zone(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	parameter_set(test, "memory_hotplug.online_policy", "auto-movable");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_KERNEL), 0);
	blocks_expect_zone(test, fake_block(test, range, 0), ZONE_NORMAL);
	parameter_set(test, "memory_hotplug.auto_movable_ratio", "0");
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 1),
					  MMOP_ONLINE_MOVABLE), 0);
	blocks_expect_zone(test, fake_block(test, range, 1), ZONE_MOVABLE);
}

static struct kunit_case auto_online_cases[] = {
	KUNIT_CASE_PARAM(default_online_type_onlines_blocks, auto_onlines_gen_params),
	KUNIT_CASE(default_online_type_offline_leaves_blocks),
	KUNIT_CASE(default_online_type_is_for_added_memory_only),
	KUNIT_CASE_PARAM(auto_online_blocks_sets_default_online_type, auto_onlines_gen_params),
	KUNIT_CASE(auto_online_vetoed_leaves_rest_offline),
	KUNIT_CASE(contig_zones_follows_neighbours),
	KUNIT_CASE(auto_movable_onlines_within_ratio_movable),
	KUNIT_CASE(auto_movable_ratio_zero_onlines_to_kernel),
	KUNIT_CASE(auto_movable_does_not_overrule_zone),
	{}
};

static struct kunit_suite auto_online_suite = {
	.name = "mhp_auto_online",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = auto_online_cases,
};

kunit_test_suite(auto_online_suite);

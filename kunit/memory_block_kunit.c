// SPDX-License-Identifier: GPL-2.0
/*
 * Memory blocks as user space sees them: /sys/devices/system/memory/.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "contents.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "sysfs.h"

#define MEMORY	"devices/system/memory"
#define BLOCK	MEMORY "/memory%llu"

static u64 block_id(struct fake_range range)
{
	return range.start / memory_block_size_bytes();
}

static const char *get_state(struct kunit *test, struct fake_range range)
{
	return sysfs_read(test, BLOCK "/state", block_id(range));
}

static int set_state(struct kunit *test, struct fake_range range, const char *value)
{
	int err = sysfs_write(test, value, BLOCK "/state", block_id(range));

	mhp_validate(test, value);
	return err;
}

static void block_size_bytes_is_that_of_blocks(struct kunit *test)
{
	u64 size;

	KUNIT_ASSERT_EQ(test, kstrtoull(sysfs_read(test, MEMORY "/block_size_bytes"), 16, &size),
			0);
	KUNIT_EXPECT_EQ(test, size, memory_block_size_bytes());
}

/* A directory comes with each block and goes with it. */
static void block_has_directory_while_it_is_there(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	u64 id = block_id(range);

	KUNIT_EXPECT_FALSE(test, sysfs_exists(test, BLOCK, id));
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_TRUE(test, sysfs_exists(test, BLOCK, id));
	KUNIT_EXPECT_TRUE(test, sysfs_exists(test, BLOCK, id + 1));
	KUNIT_EXPECT_FALSE(test, sysfs_exists(test, BLOCK, id + 2));
	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 0)), 0);
	KUNIT_EXPECT_FALSE(test, sysfs_exists(test, BLOCK, id));
	KUNIT_EXPECT_TRUE(test, sysfs_exists(test, BLOCK, id + 1));
}

static void phys_index_tells_where_block_is(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	u64 id;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, kstrtoull(sysfs_read(test, BLOCK "/phys_index", block_id(range)),
					16, &id), 0);
	KUNIT_EXPECT_EQ(test, id * memory_block_size_bytes(), range.start);
}

/* Only s390 ever said anything else. */
static void phys_device_is_zero(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, BLOCK "/phys_device", block_id(range)), "0");
}

#ifdef CONFIG_ARCH_MEMORY_PROBE
static int probe_at(struct kunit *test, u64 address)
{
	char text[24];

	snprintf(text, sizeof(text), "%#llx", address);
	return sysfs_write(test, text, MEMORY "/probe");
}

static void probe_adds_one_block(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_EXPECT_EQ(test, probe_at(test, range.start), 0);
	mhp_validate(test, "probe");
	KUNIT_EXPECT_STREQ(test, get_state(test, range), "offline");
	KUNIT_EXPECT_FALSE(test, sysfs_exists(test, BLOCK, block_id(range) + 1));
	KUNIT_EXPECT_EQ(test, probe_at(test, range.start), -EEXIST);
}

static void probe_of_unaligned_address_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_EXPECT_EQ(test, probe_at(test, range.start + PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_FALSE(test, sysfs_exists(test, BLOCK, block_id(range)));
}
#endif

static void removable_says_what_kernel_can(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, BLOCK "/removable", block_id(range)), "1");
}

/* What "online" would choose comes first, then what else may be asked for. */
static void valid_zones_of_offline_block(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range last = fake_block(test, range, 2);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, BLOCK "/valid_zones", block_id(last)),
			   "Normal Movable");

	/* Between two movable blocks the zone is spanned already. */
	KUNIT_ASSERT_EQ(test, fake_online(test, fake_block(test, range, 0),
					  MMOP_ONLINE_MOVABLE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, last, MMOP_ONLINE_MOVABLE), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, BLOCK "/valid_zones",
					    block_id(fake_block(test, range, 1))),
			   "Movable Normal");
}

static void valid_zones_of_online_block(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, BLOCK "/valid_zones", block_id(range)),
			   "Normal");
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	KUNIT_EXPECT_STREQ(test, sysfs_read(test, BLOCK "/valid_zones", block_id(range)),
			   "Movable");
}

static const struct {
	const char *value;
	enum zone_type zone;
} zone_of[] = {
	{ "online", ZONE_NORMAL },
	{ "online_kernel", ZONE_NORMAL },
	{ "online_movable", ZONE_MOVABLE },
};

static void state_write_onlines_and_offlines(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_STREQ(test, get_state(test, range), "offline");
	for (i = 0; i < ARRAY_SIZE(zone_of); i++) {
		KUNIT_EXPECT_EQ(test, set_state(test, range, zone_of[i].value), 0);
		blocks_expect_zone(test, range, zone_of[i].zone);
		KUNIT_EXPECT_STREQ(test, get_state(test, range), "online");
		KUNIT_EXPECT_EQ(test, set_state(test, range, "offline"), 0);
		blocks_expect_state(test, range, MEM_OFFLINE);
		KUNIT_EXPECT_STREQ(test, get_state(test, range), "offline");
	}
}

static void state_write_of_nonsense_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_EQ(test, set_state(test, range, "onlin"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set_state(test, range, "online_normal"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set_state(test, range, "1"), -EINVAL);
	blocks_expect_state(test, range, MEM_OFFLINE);
}

/* The state it has already: not even the zone is another one afterwards. */
static void state_write_again_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_EQ(test, set_state(test, range, "offline"), -EINVAL);
	KUNIT_ASSERT_EQ(test, set_state(test, range, "online_movable"), 0);
	KUNIT_EXPECT_EQ(test, set_state(test, range, "online_kernel"), -EINVAL);
	blocks_expect_zone(test, range, ZONE_MOVABLE);
}

static void state_write_passes_errors_on(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct listener *listener = listener_add(test, 0);
	struct held *held;

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	listener->veto = MEM_GOING_ONLINE;
	listener->err = -EPERM;
	KUNIT_EXPECT_EQ(test, set_state(test, range, "online"), -EPERM);
	KUNIT_EXPECT_STREQ(test, get_state(test, range), "offline");

	listener_remove(test, listener);
	KUNIT_ASSERT_EQ(test, set_state(test, range, "online_kernel"), 0);
	held = contents_hold(test, range.pfn, 1);
	KUNIT_EXPECT_EQ(test, set_state(test, range, "offline"), -EBUSY);
	KUNIT_EXPECT_STREQ(test, get_state(test, range), "online");
	contents_release(test, held);
}

struct seen {
	struct kunit *test;
	struct fake_range range;
	const char *state;
};

static void read_state(struct listener *listener, unsigned long action)
{
	struct seen *seen = listener->private;

	if (action == MEM_GOING_OFFLINE)
		seen->state = get_state(seen->test, seen->range);
}

/* What user space reads while the block is on its way. */
static void state_is_going_offline_meanwhile(struct kunit *test)
{
	struct seen seen = { .test = test, .range = fake_range(test, 1) };
	struct listener *listener = listener_add(test, 0);

	KUNIT_ASSERT_EQ(test, fake_add(test, seen.range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, seen.range, MMOP_ONLINE), 0);
	listener->private = &seen;
	listener->on_event = read_state;
	KUNIT_ASSERT_EQ(test, fake_offline(test, seen.range), 0);
	listener->on_event = NULL;
	KUNIT_EXPECT_STREQ(test, seen.state ?: "not read", "going-offline");
	KUNIT_EXPECT_STREQ(test, get_state(test, seen.range), "offline");
}

static struct kunit_case memory_block_cases[] = {
	KUNIT_CASE(block_size_bytes_is_that_of_blocks),
	KUNIT_CASE(block_has_directory_while_it_is_there),
	KUNIT_CASE(phys_index_tells_where_block_is),
	KUNIT_CASE(phys_device_is_zero),
#ifdef CONFIG_ARCH_MEMORY_PROBE
	KUNIT_CASE(probe_adds_one_block),
	KUNIT_CASE(probe_of_unaligned_address_is_refused),
#endif
	KUNIT_CASE(removable_says_what_kernel_can),
	KUNIT_CASE(valid_zones_of_offline_block),
	KUNIT_CASE(valid_zones_of_online_block),
	KUNIT_CASE(state_write_onlines_and_offlines),
	KUNIT_CASE(state_write_of_nonsense_is_refused),
	KUNIT_CASE(state_write_again_is_refused),
	KUNIT_CASE(state_write_passes_errors_on),
	KUNIT_CASE(state_is_going_offline_meanwhile),
	{}
};

static struct kunit_suite memory_block_suite = {
	.name = "mhp_memory_block",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = memory_block_cases,
};

kunit_test_suite(memory_block_suite);

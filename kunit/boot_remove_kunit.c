// SPDX-License-Identifier: GPL-2.0
/*
 * Boot memory that is removed and added again: then it is memory like any other
 * that was hot-added.  Needs movablecore=, so that there is boot memory that can
 * go; without the fixture, because the boot memory is not what it was
 * afterwards.
 */

#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#include "blocks.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "self_hosted.h"

static void add(struct kunit *test, struct fake_range range, mhp_t flags)
{
	KUNIT_ASSERT_EQ(test, add_memory(0, range.start, range.size, flags), 0);
	mhp_validate(test, "add_memory of what was boot memory");
	KUNIT_EXPECT_FALSE(test, early_section(__pfn_to_section(range.pfn)));
}

static void cycle(struct kunit *test, struct fake_range range, int online_type)
{
	KUNIT_ASSERT_EQ(test, fake_online(test, range, online_type), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
}

static void removed_block_comes_back(struct kunit *test)
{
	struct fake_range range = blocks_movable_boot(test);

	KUNIT_ASSERT_EQ(test, offline_and_remove_memory(range.start, range.size), 0);
	mhp_validate(test, "offline_and_remove_memory of boot memory");
	blocks_expect_absent(test, range);
	add(test, range, MHP_NONE);
	cycle(test, range, MMOP_ONLINE_MOVABLE);
	KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
}

/*
 *	| boot memory | free, movable | ..
 *		      | VV            |		and without V again
 */
static void removed_block_hosts_its_memmap(struct kunit *test)
{
	struct fake_range range = blocks_movable_boot(test);

	self_hosted_mode(test);
	KUNIT_ASSERT_EQ(test, offline_and_remove_memory(range.start, range.size), 0);
	mhp_validate(test, "offline_and_remove_memory of boot memory");
	add(test, range, SELF_HOSTED);
	self_hosted_expect(test, range);
	cycle(test, range, MMOP_ONLINE_KERNEL);
	cycle(test, range, MMOP_ONLINE_MOVABLE);
	self_hosted_expect(test, range);
	KUNIT_ASSERT_EQ(test, remove_memory(range.start, range.size), 0);
	mhp_validate(test, "remove_memory");
	blocks_expect_absent(test, range);

	add(test, range, MHP_NONE);
	self_hosted_expect_none(test, range);
	KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
}

static struct kunit_case boot_remove_cases[] = {
	KUNIT_CASE(removed_block_comes_back),
	KUNIT_CASE(removed_block_hosts_its_memmap),
	{}
};

static struct kunit_suite boot_remove_suite = {
	.name = "mhp_boot_remove",
	.test_cases = boot_remove_cases,
};

kunit_test_suite(boot_remove_suite);

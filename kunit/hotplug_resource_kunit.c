// SPDX-License-Identifier: GPL-2.0
/*
 * The resources of added memory: their names, flags, merging and splitting.
 */

#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>

#include "blocks.h"
#include "fake_section.h"
#include "mhp_validate.h"
#include "permutations.h"

#define DRIVER_NAME	"System RAM (mhp_kunit)"
#define OTHER_NAME	"System RAM (mhp_kunit, too)"

static int add_driver_managed(struct kunit *test, struct fake_range range,
			      const char *name, mhp_t flags)
{
	int err = add_memory_driver_managed(0, range.start, range.size, name, flags);

	mhp_validate(test, "add_memory_driver_managed");
	return err;
}

/* kexec and the firmware memory map are told to leave it alone. */
static void driver_managed_memory_is_marked(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_ASSERT_EQ(test, add_driver_managed(test, range, DRIVER_NAME, MHP_NONE), 0);
	blocks_expect_resource(test, range, DRIVER_NAME, IORESOURCE_SYSRAM_DRIVER_MANAGED);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	blocks_expect_zone(test, range, ZONE_NORMAL);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

static void driver_managed_memory_present_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 1), MHP_NONE), 0);
	KUNIT_EXPECT_EQ(test, add_driver_managed(test, range, DRIVER_NAME, MHP_NONE), -EEXIST);
	blocks_expect_absent(test, fake_block(test, range, 0));
	blocks_expect_resource(test, fake_block(test, range, 1), "System RAM", 0);
}

static void driver_managed_memory_misaligned_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	struct fake_range part = range;

	part.size -= PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, add_driver_managed(test, part, DRIVER_NAME, MHP_NONE), -EINVAL);
	blocks_expect_absent(test, range);
}

/* The name tells "System RAM" from what a driver may take away again. */
static const char * const bad_names[] = {
	"System RAM",
	"System RAM (",
	"System RAM (mhp_kunit",
	"System RAM(mhp_kunit)",
	"System RAM mhp_kunit)",
	" System RAM (mhp_kunit)",
	"System RAM (mhp_kunit) ",
	"system ram (mhp_kunit)",
	"mhp_kunit System RAM (mhp_kunit)",
};

static void driver_managed_memory_bad_name_is_refused(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad_names); i++)
		KUNIT_EXPECT_EQ_MSG(test, add_driver_managed(test, range, bad_names[i],
							     MHP_NONE),
				    -EINVAL, "name \"%s\"", bad_names[i]);
	KUNIT_EXPECT_EQ(test, add_driver_managed(test, range, NULL, MHP_NONE), -EINVAL);
	blocks_expect_absent(test, range);
	KUNIT_EXPECT_EQ(test, add_driver_managed(test, range, DRIVER_NAME, MHP_NONE), 0);
}

/* Even where they are neighbours. */
static void resources_without_merge_flag_stay_apart(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	unsigned int i;

	for (i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, i), MHP_NONE), 0);
	for (i = 0; i < 2; i++)
		blocks_expect_resource(test, fake_block(test, range, i), "System RAM", 0);
}

/* The last one added closes the gap, or not, and both its neighbours join it. */
static void resources_merge_in_any_order(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	struct fake_range range = fake_range(test, 3);
	unsigned int i;

	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, order->nth[i]),
					       MHP_MERGE_RESOURCE), 0);
	blocks_expect_resource(test, range, "System RAM", IORESOURCE_SYSRAM_MERGEABLE);
}

/*
 *	| mergeable | not | mergeable | of a driver, mergeable | of another one |
 */
static void resources_of_another_kind_do_not_merge(struct kunit *test)
{
	struct fake_range range = fake_range(test, 5);
	const unsigned long merge = IORESOURCE_SYSRAM_MERGEABLE;

	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 1), MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 0), MHP_MERGE_RESOURCE), 0);
	KUNIT_ASSERT_EQ(test, add_driver_managed(test, fake_block(test, range, 3), DRIVER_NAME,
						 MHP_MERGE_RESOURCE), 0);
	KUNIT_ASSERT_EQ(test, add_driver_managed(test, fake_block(test, range, 4), OTHER_NAME,
						 MHP_MERGE_RESOURCE), 0);
	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 2), MHP_MERGE_RESOURCE), 0);
	blocks_expect_resource(test, fake_block(test, range, 0), "System RAM", merge);
	blocks_expect_resource(test, fake_block(test, range, 1), "System RAM", 0);
	blocks_expect_resource(test, fake_block(test, range, 2), "System RAM", merge);
	blocks_expect_resource(test, fake_block(test, range, 3), DRIVER_NAME,
			       IORESOURCE_SYSRAM_DRIVER_MANAGED | merge);
	blocks_expect_resource(test, fake_block(test, range, 4), OTHER_NAME,
			       IORESOURCE_SYSRAM_DRIVER_MANAGED | merge);
}

/*
 *	| 0   1   2   3   4 |	one resource
 *	| 0   1 |   | 3   4 |	2 is removed: split
 *	    | 1 |   | 3 |	0 and 4 are removed: cut
 *	    | 1   2   3 |	2 is added again: merged
 */
static void merged_resource_is_split_by_removal(struct kunit *test)
{
	struct fake_range range = fake_range(test, 5);
	const unsigned long merge = IORESOURCE_SYSRAM_MERGEABLE;
	unsigned int i;

	for (i = 0; i < 5; i++)
		KUNIT_ASSERT_EQ(test, add_driver_managed(test, fake_block(test, range, i),
							 DRIVER_NAME, MHP_MERGE_RESOURCE), 0);
	blocks_expect_resource(test, range, DRIVER_NAME,
			       IORESOURCE_SYSRAM_DRIVER_MANAGED | merge);

	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 2)), 0);
	blocks_expect_absent(test, fake_block(test, range, 2));
	blocks_expect_resource(test, fake_sub_range(test, range, 0, 2), DRIVER_NAME,
			       IORESOURCE_SYSRAM_DRIVER_MANAGED | merge);
	blocks_expect_resource(test, fake_sub_range(test, range, 3, 2), DRIVER_NAME,
			       IORESOURCE_SYSRAM_DRIVER_MANAGED | merge);

	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 0)), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 4)), 0);
	KUNIT_ASSERT_EQ(test, add_driver_managed(test, fake_block(test, range, 2), DRIVER_NAME,
						 MHP_MERGE_RESOURCE), 0);
	blocks_expect_absent(test, fake_block(test, range, 0));
	blocks_expect_resource(test, fake_sub_range(test, range, 1, 3), DRIVER_NAME,
			       IORESOURCE_SYSRAM_DRIVER_MANAGED | merge);
	blocks_expect_absent(test, fake_block(test, range, 4));
}

static struct kunit_case hotplug_resource_cases[] = {
	KUNIT_CASE(driver_managed_memory_is_marked),
	KUNIT_CASE(driver_managed_memory_present_is_refused),
	KUNIT_CASE(driver_managed_memory_misaligned_is_refused),
	KUNIT_CASE(driver_managed_memory_bad_name_is_refused),
	KUNIT_CASE(resources_without_merge_flag_stay_apart),
	KUNIT_CASE_PARAM(resources_merge_in_any_order, permutations_gen_params),
	KUNIT_CASE(resources_of_another_kind_do_not_merge),
	KUNIT_CASE(merged_resource_is_split_by_removal),
	{}
};

static struct kunit_suite hotplug_resource_suite = {
	.name = "mhp_hotplug_resource",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = hotplug_resource_cases,
};

kunit_test_suite(hotplug_resource_suite);

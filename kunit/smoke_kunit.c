// SPDX-License-Identifier: GPL-2.0
#include "fake_section.h"

static void add_online_offline_remove(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);
	int i;

	for (i = 0; i < 3; i++) {
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	KUNIT_EXPECT_TRUE(test, fake_is_online(range));
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	}
}

static void left_behind(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
}
static void direct(struct kunit *test)
{
	struct fake_range range = fake_range(test, 2);

	KUNIT_ASSERT_EQ(test, fake_plug(test, range, NULL), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages, ZONE_NORMAL), 0);
	KUNIT_ASSERT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), 0);
	KUNIT_ASSERT_EQ(test, fake_online_pages(test, range.pfn, range.nr_pages, ZONE_MOVABLE), 0);
}

static struct kunit_case smoke_cases[] = {
	KUNIT_CASE(add_online_offline_remove),
	KUNIT_CASE(left_behind),
	KUNIT_CASE(direct),
	{}
};

static struct kunit_suite smoke_suite = {
	.name = "mhp_smoke",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = smoke_cases,
};
kunit_test_suite(smoke_suite);

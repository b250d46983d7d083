// SPDX-License-Identifier: GPL-2.0
/*
 * A 2 MiB page of virtual memmap that is used in part: several ranges share it,
 * what is unused holds PAGE_UNUSED, and it is freed with the last of them.
 */

#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/pgtable_types.h>

#include "fake_section.h"
#include "vmemmap_hole.h"

#define PMD_PAGES	(PMD_SIZE / PAGE_SIZE)
#define PMD_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define QUARTER		(PMD_SIZE / 4)

static int sub_pmd_init(struct kunit *test)
{
	if (!boot_cpu_has(X86_FEATURE_PSE))
		kunit_skip(test, "this CPU has no 2 MiB pages");
	return hole_init(test);
}

static unsigned long quarter(unsigned int nth)
{
	return hole_start() + nth * QUARTER;
}

/* Populate a quarter as its owner does, and write to it. */
static void use(struct kunit *test, unsigned int nth, struct vmem_altmap *altmap)
{
	hole_populate_huge(test, quarter(nth), QUARTER, altmap);
	KUNIT_ASSERT_EQ(test, hole_level(quarter(nth)), PG_LEVEL_2M);
	hole_fill(quarter(nth), QUARTER, 0x10 + nth);
}

static void expect_used(struct kunit *test, unsigned int nth)
{
	KUNIT_ASSERT_EQ(test, hole_level(quarter(nth)), PG_LEVEL_2M);
	hole_expect_filled(test, quarter(nth), QUARTER, 0x10 + nth);
}

static void expect_all_free(struct kunit *test, unsigned long free_pages)
{
	KUNIT_EXPECT_EQ(test, hole_level(hole_start()), PG_LEVEL_NONE);
	KUNIT_EXPECT_FALSE(test, hole_has_pmd_table(hole_start()));
	KUNIT_EXPECT_EQ(test, fake_free_pages(), free_pages);
}

struct order {
	unsigned int populate[4];
	unsigned int free[4];
	unsigned int nr;
	const char *name;
};

/* PAGE_UNUSED is written late where ranges follow each other, and at once elsewhere. */
static const struct order orders[] = {
	{ { 0 }, { 0 }, 1, "first_only" },
	{ { 3 }, { 3 }, 1, "last_only" },
	{ { 1 }, { 1 }, 1, "middle_only" },
	{ { 0, 1 }, { 0, 1 }, 2, "following" },
	{ { 0, 1 }, { 1, 0 }, 2, "following_freed_backwards" },
	{ { 1, 0 }, { 0, 1 }, 2, "preceding" },
	{ { 0, 3 }, { 0, 3 }, 2, "with_gap" },
	{ { 0, 2 }, { 2, 0 }, 2, "with_gap_freed_backwards" },
	{ { 0, 1, 2, 3 }, { 0, 1, 2, 3 }, 4, "all" },
	{ { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, 4, "all_freed_backwards" },
	{ { 3, 2, 1, 0 }, { 2, 0, 3, 1 }, 4, "all_backwards" },
	{ { 2, 0, 3, 1 }, { 1, 3, 0, 2 }, 4, "all_mixed" },
};

static void order_desc(const struct order *order, char *desc)
{
	strscpy(desc, order->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(order, orders, order_desc);

static void walk_order(struct kunit *test, struct vmem_altmap *altmap)
{
	const struct order *order = test->param_value;
	unsigned int i, k;

	for (i = 0; i < order->nr; i++) {
		use(test, order->populate[i], altmap);
		for (k = 0; k <= i; k++)
			expect_used(test, order->populate[k]);
	}
	for (i = 0; i < order->nr; i++) {
		hole_free(quarter(order->free[i]), QUARTER, altmap);
		if (altmap)
			KUNIT_EXPECT_EQ(test, altmap->alloc, i + 1 < order->nr ? PMD_PAGES : 0);
		for (k = i + 1; k < order->nr; k++)
			expect_used(test, order->free[k]);
	}
}

static void freed_with_last_user(struct kunit *test)
{
	unsigned long before = fake_free_pages();

	walk_order(test, NULL);
	expect_all_free(test, before);
}

static void altmap_freed_with_last_user(struct kunit *test)
{
	struct vmem_altmap *altmap = hole_altmap(test, PMD_ORDER);
	unsigned long before = fake_free_pages();

	walk_order(test, altmap);
	expect_all_free(test, before);
}

/* A quarter that comes back is not taken for unused. */
static void populated_again_after_free(struct kunit *test)
{
	unsigned long before = fake_free_pages();

	use(test, 0, NULL);
	use(test, 1, NULL);
	hole_free(quarter(0), QUARTER, NULL);
	use(test, 0, NULL);
	hole_free(quarter(1), QUARTER, NULL);
	expect_used(test, 0);
	hole_free(quarter(0), QUARTER, NULL);
	expect_all_free(test, before);
}

/* The memmap is never written to, as where the block never goes online. */
static void untouched_user_keeps_it(struct kunit *test)
{
	unsigned long before = fake_free_pages();

	hole_populate_huge(test, quarter(0), QUARTER, NULL);
	hole_populate_huge(test, quarter(2), QUARTER, NULL);
	hole_free(quarter(0), QUARTER, NULL);
	KUNIT_EXPECT_EQ(test, hole_level(quarter(2)), PG_LEVEL_2M);
	hole_free(quarter(2), QUARTER, NULL);
	expect_all_free(test, before);
}

/*
 *	| unused | range ............... | unused |
 *	| PMD 0           | PMD 1                 |
 */
static void range_over_two_pmds(struct kunit *test)
{
	unsigned long before = fake_free_pages();

	hole_populate_huge(test, quarter(2), 4 * QUARTER, NULL);
	hole_expect_level(test, quarter(0), 2 * PMD_SIZE, PG_LEVEL_2M);
	hole_free(quarter(2), 4 * QUARTER, NULL);
	KUNIT_EXPECT_EQ(test, hole_level(quarter(4)), PG_LEVEL_NONE);
	expect_all_free(test, before);
}

static struct kunit_case sub_pmd_cases[] = {
	KUNIT_CASE_PARAM(freed_with_last_user, order_gen_params),
	KUNIT_CASE_PARAM(altmap_freed_with_last_user, order_gen_params),
	KUNIT_CASE(populated_again_after_free),
	KUNIT_CASE(untouched_user_keeps_it),
	KUNIT_CASE(range_over_two_pmds),
	{}
};

static struct kunit_suite sub_pmd_suite = {
	.name = "mhp_x86_sub_pmd",
	.init = sub_pmd_init,
	.exit = hole_exit,
	.test_cases = sub_pmd_cases,
};

kunit_test_suite(sub_pmd_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * What hot-added memory is on UML: memory of the host, mapped on add, given
 * back on remove, and refused with an error when the host has none.
 */

#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <as-layout.h>
#include <mem_user.h>
#include <os.h>

#include "fake_section.h"
#include "mhp_validate.h"
#include "parameter.h"

static int physmem_fd(void)
{
	unsigned long long offset;

	return phys_mapping(0, &offset);
}

/* Bytes of the memory file that the host has allocated. */
static u64 host_bytes(struct kunit *test)
{
	struct uml_stat st;

	KUNIT_ASSERT_EQ(test, os_stat_fd(physmem_fd(), &st), 0);
	return st.ust_blocks * 512;
}

/* Whether the host gets back what is removed; what it still holds for @range it gets now. */
static void give_back(struct kunit *test, struct fake_range range, bool yes)
{
	parameter_set(test, "uml_keep_memory", "N");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	if (!yes)
		parameter_set(test, "uml_keep_memory", "Y");
}

/*
 *	| block 0 |
 *	^ 2 MiB written
 */
static void remove_gives_memory_back(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	u64 added, written, removed;

	give_back(test, range, true);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	added = host_bytes(test);
	memset(__va(range.start), 0x5a, SZ_2M);
	written = host_bytes(test);
	KUNIT_EXPECT_GE(test, written, added + SZ_2M);

	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	removed = host_bytes(test);
	/* Other pages may come into use meanwhile; a megabyte of them does not. */
	KUNIT_EXPECT_LE(test, removed, written - SZ_1M);
}

/* What was in a block is not there any more when it comes again. */
static void readd_is_zeroed(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	give_back(test, range, true);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	memset(__va(range.start), 0x5a, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(__va(range.start), 0, PAGE_SIZE));
}

static void readd_of_kept_memory_finds_contents(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);

	give_back(test, range, false);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	memset(__va(range.start), 0x5a, PAGE_SIZE);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(__va(range.start), 0x5a, PAGE_SIZE));
}

/*
 * Use up vm.max_map_count: one page after the other of the same page of the
 * file, which the host cannot merge into one mapping.  They go to the end of
 * the direct map, where nothing is plugged in.
 */
static unsigned long exhaust_mappings(struct kunit *test, unsigned long limit)
{
	unsigned long start = (unsigned long)__va((1ULL << MAX_PHYSMEM_BITS) - SZ_1G);
	unsigned long n;

	for (n = 0; n < limit; n++) {
		if (os_map_memory((void *)start + n * PAGE_SIZE, physmem_fd(), 0,
				  PAGE_SIZE, 1, 0, 0))
			return n;
	}
	return n;
}

static void return_mappings(unsigned long nr)
{
	os_unmap_memory(__va((1ULL << MAX_PHYSMEM_BITS) - SZ_1G), nr * PAGE_SIZE);
}

/*
 * With no mapping left, the direct map cannot have the block.  With one left it
 * can, and then the memmap cannot be mapped, or not the whole of it.
 */
static void add_without_host_mappings(struct kunit *test)
{
	const unsigned long limit = SZ_1G / PAGE_SIZE;
	/* Not next to boot memory, whose mapping the host could grow by it. */
	struct fake_range range = fake_block(test, fake_range(test, 2), 1);
	int with_none, with_one;
	unsigned long nr;

	if (IS_ENABLED(CONFIG_KASAN))
		kunit_skip(test, "KASAN ends the guest when the host has no memory for its shadow");
	nr = exhaust_mappings(test, limit);
	if (nr == limit) {
		return_mappings(nr);
		kunit_skip(test, "the host allows more than %lu mappings", limit);
	}
	/* Nothing is asserted until the mappings are back: KUnit needs some. */
	with_none = add_memory(0, range.start, range.size, MHP_NONE);
	return_mappings(1);
	with_one = add_memory(0, range.start, range.size, MHP_NONE);
	return_mappings(nr);

	KUNIT_EXPECT_EQ(test, with_none, -ENOMEM);
	KUNIT_EXPECT_EQ(test, with_one, -ENOMEM);
	mhp_validate(test, "add_memory without mappings");
	KUNIT_EXPECT_EQ(test, fake_nr_present_sections(range), 0);
	KUNIT_EXPECT_EQ(test, fake_add(test, range, MHP_NONE), 0);
}

static struct kunit_case um_host_cases[] = {
	KUNIT_CASE(remove_gives_memory_back),
	KUNIT_CASE(readd_is_zeroed),
	KUNIT_CASE(readd_of_kept_memory_finds_contents),
	KUNIT_CASE(add_without_host_mappings),
	{}
};

static struct kunit_suite um_host_suite = {
	.name = "mhp_um_host",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = um_host_cases,
};
kunit_test_suite(um_host_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * What hot-added memory is on UML: memory of the host, mapped on add, given
 * back on remove, and refused with an error when the host has none.
 */

#include <linux/mm.h>
#include <linux/resource.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <as-layout.h>
#include <mem_user.h>
#include <os.h>

#include "fake_memmap.h"
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

/* libc's.  The kernel's struct rlimit has the layout that the host takes. */
int getrlimit(unsigned int resource, struct rlimit *rlim);
int setrlimit(unsigned int resource, const struct rlimit *rlim);

/* Bytes of the host's address space that are mapped. */
static unsigned long mapped_bytes(struct kunit *test)
{
	int fd = os_open_file("/proc/self/statm", of_read(OPENFLAGS()), 0);
	char text[64] = {};
	unsigned long pages;

	KUNIT_ASSERT_GE(test, fd, 0);
	os_read_file(fd, text, sizeof(text) - 1);
	os_close_file(fd);
	KUNIT_ASSERT_EQ(test, sscanf(text, "%lu", &pages), 1);
	return pages * PAGE_SIZE;
}

/*
 * The host maps @room bytes more, and not a page beyond, until the limit that is
 * returned is set again.  Nothing is to be asserted up to then: KUnit needs memory.
 */
static struct rlimit limit_room(struct kunit *test, unsigned long room)
{
	struct rlimit before, limit;

	KUNIT_ASSERT_EQ(test, getrlimit(RLIMIT_AS, &before), 0);
	limit = before;
	limit.rlim_cur = mapped_bytes(test) + room;
	KUNIT_ASSERT_EQ(test, setrlimit(RLIMIT_AS, &limit), 0);
	return before;
}

static int add_with_room(struct kunit *test, struct fake_range range, unsigned long room)
{
	unsigned long mapped = mapped_bytes(test);
	struct rlimit before = limit_room(test, room);
	int err = add_memory(0, range.start, range.size, MHP_NONE);

	setrlimit(RLIMIT_AS, &before);
	if (err)
		KUNIT_EXPECT_EQ(test, mapped_bytes(test), mapped);
	return err;
}

/*
 * A host without room, as when vm.max_map_count is reached: the direct map cannot
 * have the block.  With room for the block it can, and then the memmap cannot be
 * mapped.
 */
static void add_without_host_mappings(struct kunit *test)
{
	/* Not next to boot memory, whose mapping the host could grow by it. */
	struct fake_range range = fake_block(test, fake_range(test, 2), 1);

	if (IS_ENABLED(CONFIG_KASAN))
		kunit_skip(test, "KASAN ends the guest when the host has no memory for its shadow");
	/* Nor where the mapping of a memmap is kept, see os_put_aside(). */
	give_back(test, range, true);
	KUNIT_EXPECT_EQ(test, add_with_room(test, range, 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test, add_with_room(test, range, range.size), -ENOMEM);
	mhp_validate(test, "add_memory without mappings");
	KUNIT_EXPECT_EQ(test, fake_nr_present_sections(range), 0);
	KUNIT_EXPECT_EQ(test, fake_add(test, range, MHP_NONE), 0);
}

/*
 *	| VVVV block 0 |	VVVV: its memmap
 *
 * The memmap's mapping is only moved back, so that no room is needed for it.  There
 * is none either for the place that it leaves: others are moved to new places.
 */
static void memmap_put_aside_takes_no_room(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	unsigned long nr = fake_memmap_size(test, range.nr_pages);
	struct vmem_altmap *altmap;
	struct rlimit before;
	int i, err;

	if (IS_ENABLED(CONFIG_KASAN))
		kunit_skip(test, "KASAN ends the guest when the host has no memory for its shadow");
	for (i = 0; i < 3; i++) {
		altmap = fake_altmap(test, range.pfn, nr);
		KUNIT_ASSERT_EQ(test, fake_plug(test, range, altmap), 0);
		fake_unplug(test, range);

		altmap = fake_altmap(test, range.pfn, nr);
		before = limit_room(test, range.size);
		err = fake_plug(test, range, altmap);
		setrlimit(RLIMIT_AS, &before);
		KUNIT_ASSERT_EQ(test, err, 0);
		fake_unplug(test, range);
	}
}

static struct kunit_case um_host_cases[] = {
	KUNIT_CASE(remove_gives_memory_back),
	KUNIT_CASE(readd_is_zeroed),
	KUNIT_CASE(readd_of_kept_memory_finds_contents),
	KUNIT_CASE(add_without_host_mappings),
	KUNIT_CASE(memmap_put_aside_takes_no_room),
	{}
};

static struct kunit_suite um_host_suite = {
	.name = "mhp_um_host",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = um_host_cases,
};
kunit_test_suite(um_host_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * Each section, or memory block, holds its own memmap; see self_hosted.h.
 */

#include <linux/device.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "blocks.h"
#include "contents.h"
#include "fake_device.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "parameter.h"
#include "permutations.h"
#include "self_hosted.h"
#include "zone_counters.h"

struct count {
	const char *desc;
	unsigned int nr;
};

static const struct count counts[] = {
	{ "1 block", 1 },
	{ "2 blocks", 2 },
	{ "8 blocks", 8 },
	{ "64 blocks", 64 },
	{ "140 blocks", 140 },
};

KUNIT_ARRAY_PARAM_DESC(counts, counts, desc);

/*
 *	| VV     | VV     |  ..  | VV     |
 *
 * However many: the memmap of one is never in another.
 */
static void add_memory_puts_memmap_into_each_host(struct kunit *test)
{
	const struct count *count = test->param_value;
	struct fake_range range;
	unsigned int i;

	/* Memmap of gigabytes: a quarter of the time of all suites on UML. x86 does it. */
	if (IS_ENABLED(CONFIG_UML) && count->nr * memory_block_size_bytes() > SZ_2G)
		kunit_skip(test, "more than 2 GiB: small sections have this number");
	range = self_hosted_add(test, count->nr);
	for (i = 0; i < count->nr; i++)
		KUNIT_EXPECT_NULL(test, blocks_get(test, range, i)->altmap);
	self_hosted_expect(test, range);
	blocks_expect_state(test, range, MEM_OFFLINE);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/*
 * Each block has pages to give, however many there are.  Not with large blocks:
 * that takes a quarter of the time that all suites take, and kunit/configs/quick.config
 * has small ones.
 */
static void online_of_each_number(struct kunit *test)
{
	const struct count *count = test->param_value;
	struct fake_range range;
	unsigned int i;

	if (count->nr * memory_block_size_bytes() > SZ_2G)
		kunit_skip(test, "more than 2 GiB: small sections have this number");
	range = self_hosted_online(test, count->nr, MMOP_ONLINE_MOVABLE);
	self_hosted_expect(test, range);
	for (i = 0; i < count->nr; i++) {
		unsigned long pfn = fake_block(test, range, i).pfn + self_hosted_vmemmap_pages(test);

		KUNIT_EXPECT_TRUE_MSG(test, is_free_buddy_page(pfn_to_page(pfn)), "block %u", i);
	}
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	self_hosted_expect(test, range);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/* What the base takes is printed beside it. */
static void add_memory_takes_no_memory(struct kunit *test)
{
	struct fake_range range = self_hosted_add(test, 4);
	unsigned long outside = self_hosted_outside(range);
	unsigned long memmap = PHYS_PFN(range.nr_pages * sizeof(struct page));
	long free;

	KUNIT_EXPECT_EQ(test, outside, 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);

	/* Page tables and the devices of memory blocks are far less than a memmap. */
	free = fake_free_pages();
	KUNIT_ASSERT_EQ(test, fake_add(test, range, SELF_HOSTED), 0);
	free -= fake_free_pages();
	KUNIT_EXPECT_LT(test, free, (long)memmap / 2);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);

	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_NONE), 0);
	kunit_info(test, "memmap of %lu sections: %lu pages of existing memory, without the series %lu",
		   fake_nr_present_sections(range), outside, self_hosted_outside(range));
	KUNIT_EXPECT_EQ(test, self_hosted_outside(range), memmap);
}

struct cycle {
	const char *desc;
	int online_type;
	enum zone_type zone;
};

static const struct cycle cycles[] = {
	{ "ZONE_NORMAL", MMOP_ONLINE_KERNEL, ZONE_NORMAL },
	{ "ZONE_MOVABLE", MMOP_ONLINE_MOVABLE, ZONE_MOVABLE },
};

KUNIT_ARRAY_PARAM_DESC(cycles, cycles, desc);

/* Twice: the second time the memmap holds what the first time left. */
static void online_accounts_vmemmap_as_present_only(struct kunit *test)
{
	const struct cycle *c = test->param_value;
	struct fake_range range = self_hosted_add(test, 2);
	unsigned long usable = range.nr_pages - range.nr_pages / self_hosted_host(test) *
			       self_hosted_vmemmap_pages(test);
	struct zone *zone = fake_zone(c->zone);
	struct mhp_state before, after;
	int i;

	mhp_state_take(&before);
	for (i = 0; i < 2; i++) {
		unsigned long present = zone->present_pages, ram = totalram_pages();
		unsigned long managed = zone_managed_pages(zone);
		unsigned long pfn;

		KUNIT_ASSERT_EQ(test, fake_online(test, range, c->online_type), 0);
		blocks_expect_zone(test, range, c->zone);
		KUNIT_EXPECT_EQ(test, zone->present_pages - present, range.nr_pages);
		KUNIT_EXPECT_EQ(test, zone_managed_pages(zone) - managed, usable);
		KUNIT_EXPECT_EQ(test, totalram_pages() - ram, usable);
		self_hosted_expect(test, range);
		for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += self_hosted_host(test)) {
			KUNIT_EXPECT_PTR_EQ(test, page_zone(pfn_to_page(pfn)), zone);
			KUNIT_EXPECT_EQ(test, get_pageblock_migratetype(pfn_to_page(pfn)),
					MIGRATE_MOVABLE);
		}
		KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
		self_hosted_expect(test, range);
		mhp_state_take(&after);
		mhp_state_expect_equal(test, &before, &after);
	}
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/*
 *	| VV  online | VV  online | VV  online |
 *
 * One after the other is offlined and removed; the memmap of those that stay is
 * read after each.
 */
static void remove_in_any_order(struct kunit *test)
{
	const struct permutation *order = test->param_value;
	struct fake_range range = self_hosted_online(test, 3, MMOP_ONLINE_MOVABLE);
	bool gone[3] = {};
	int i, j;

	for (i = 0; i < 3; i++) {
		struct fake_range block = fake_block(test, range, order->nth[i]);

		KUNIT_ASSERT_EQ(test, fake_offline(test, block), 0);
		KUNIT_ASSERT_EQ(test, fake_remove(test, block), 0);
		blocks_expect_absent(test, block);
		gone[order->nth[i]] = true;
		for (j = 0; j < 3; j++) {
			if (!gone[j])
				self_hosted_expect(test, fake_block(test, range, j));
		}
	}
}

/* All at once, upwards, and each in the middle of others that are online. */
static void remove_between_online_neighbours(struct kunit *test)
{
	struct fake_range range = self_hosted_online(test, 5, MMOP_ONLINE_KERNEL);
	struct fake_range middle = fake_sub_range(test, range, 1, 3);

	KUNIT_ASSERT_EQ(test, fake_offline(test, middle), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, middle), 0);
	self_hosted_expect(test, fake_block(test, range, 0));
	self_hosted_expect(test, fake_block(test, range, 4));
	KUNIT_ASSERT_EQ(test, fake_add(test, middle, SELF_HOSTED), 0);
	KUNIT_ASSERT_EQ(test, fake_online(test, middle, MMOP_ONLINE_KERNEL), 0);
	self_hosted_expect(test, range);
}

/* With another granularity than it was added with. */
static void remove_in_other_pieces_than_added(struct kunit *test)
{
	struct fake_range range = self_hosted_add(test, 4);

	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_sub_range(test, range, 2, 2)), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 0)), 0);
	self_hosted_expect(test, fake_block(test, range, 1));
	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 2), SELF_HOSTED), 0);
	KUNIT_ASSERT_EQ(test, fake_add(test, fake_block(test, range, 0), SELF_HOSTED), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, fake_block(test, range, 1)), 0);
	self_hosted_expect(test, fake_block(test, range, 0));
	self_hosted_expect(test, fake_block(test, range, 2));
}

/* The last page before the first vmemmap page of the next host, and the first after */
static void online_pages_are_usable(struct kunit *test)
{
	struct fake_range range = self_hosted_online(test, 2, MMOP_ONLINE_MOVABLE);
	unsigned long host = self_hosted_host(test), nr = self_hosted_vmemmap_pages(test);
	struct held *last = contents_hold(test, range.pfn + host - 1, 1);
	struct held *first = contents_hold(test, range.pfn + nr, 1);

	memset(page_address(pfn_to_page(range.pfn + host - 1)), 0xff, PAGE_SIZE);
	memset(page_address(pfn_to_page(range.pfn + nr)), 0xff, PAGE_SIZE);
	self_hosted_expect(test, range);
	contents_release(test, last);
	contents_release(test, first);
	mhp_validate(test, "writing to the block");
}

/*
 *	| VVm..m..m..m | VVm..m..m..m |	-> elsewhere
 */
static void offline_migrates_contents(struct kunit *test)
{
	struct fake_range range = self_hosted_online(test, 2, MMOP_ONLINE_MOVABLE);
	unsigned long pfn = range.pfn + self_hosted_vmemmap_pages(test);
	struct contents *contents = contents_fill(test, pfn, 3, 16);

	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 16);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
	self_hosted_expect(test, range);
}

static void offline_busy_restores_accounting(struct kunit *test)
{
	struct mhp_state before, after;
	struct fake_range range;
	struct held *held;

	if (!pageblock_aligned(self_hosted_vmemmap_pages(test)) &&
	    self_hosted_host(test) <= pageblock_nr_pages)
		kunit_skip(test, "no pageblock without vmemmap pages to take a page from");
	range = self_hosted_online(test, 1, MMOP_ONLINE_KERNEL);
	held = contents_hold(test, range.pfn + range.nr_pages - 1, 1);
	mhp_state_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), -EBUSY);
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
	self_hosted_expect(test, range);
	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), 0);
}

static const unsigned long vetoes[] = { MEM_PREPARE_ONLINE, MEM_GOING_ONLINE };

static void online_vetoed_keeps_marks(struct kunit *test)
{
	struct fake_range range = self_hosted_add(test, 1);
	struct listener *listener = listener_add(test, 0);
	struct mhp_state before, after;
	unsigned int i;

	listener->err = -EPERM;
	for (i = 0; i < ARRAY_SIZE(vetoes); i++) {
		mhp_state_take(&before);
		listener->veto = vetoes[i];
		KUNIT_EXPECT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), -EPERM);
		mhp_state_take(&after);
		mhp_state_expect_equal(test, &before, &after);
		self_hosted_expect(test, range);
	}
	listener->veto = 0;
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	listener->veto = MEM_GOING_OFFLINE;
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), -EPERM);
	self_hosted_expect(test, range);
}

/*
 *	| VV  section | altmap of the block | memmap elsewhere |
 *
 * Both ways of memmap_on_memory and none, side by side.
 */
static void modes_are_independent(struct kunit *test)
{
	struct fake_range range = fake_range(test, 3);
	struct fake_range section = fake_block(test, range, 0);
	struct fake_range block = fake_block(test, range, 1);
	struct fake_range none = fake_block(test, range, 2);

	blocks_need_memmap_on_memory(test, "Y");
	KUNIT_ASSERT_EQ(test, fake_add(test, block, MHP_MEMMAP_ON_MEMORY), 0);
	self_hosted_mode(test);
	KUNIT_ASSERT_EQ(test, fake_add(test, section, SELF_HOSTED), 0);
	KUNIT_ASSERT_EQ(test, fake_add(test, none, MHP_NONE), 0);
	KUNIT_EXPECT_NOT_NULL(test, blocks_get(test, block, 0)->altmap);
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);

	self_hosted_expect(test, section);
	self_hosted_expect_none(test, none);
	KUNIT_EXPECT_FALSE(test, self_hosted_is_marked(block.pfn));
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, section), 0);
	KUNIT_ASSERT_EQ(test, fake_remove(test, none), 0);
	parameter_set(test, "memory_hotplug.memmap_on_memory", "Y");
	KUNIT_ASSERT_EQ(test, fake_remove(test, block), 0);
}

struct refusal {
	const char *desc;
	const char *mode;
	mhp_t flags;
};

static const struct refusal refusals[] = {
	{ "the driver does not ask for it", "section", MHP_NONE },
	{ "the mode is off", "N", MHP_MEMMAP_ON_MEMORY },
	{ "not accessible before it is online", "section",
	  MHP_MEMMAP_ON_MEMORY | MHP_OFFLINE_INACCESSIBLE },
};

KUNIT_ARRAY_PARAM_DESC(refusals, refusals, desc);

/* Not a byte of it is written before it is online. */
static void add_memory_self_hosts_only_when_asked(struct kunit *test)
{
	const struct refusal *r = test->param_value;
	struct fake_range range = fake_range(test, 2);

	self_hosted_mode(test);
	contents_leave(test, range);
	parameter_set(test, "memory_hotplug.memmap_on_memory", r->mode);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, r->flags), 0);
	self_hosted_expect_none(test, range);
	KUNIT_EXPECT_TRUE(test, contents_left_alone(range));
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	self_hosted_expect_none(test, range);
}

static void zone_device_is_never_self_hosted(struct kunit *test)
{
	struct fake_range range = fake_range(test, 1);
	struct fake_device *device;

	self_hosted_mode(test);
	contents_leave(test, range);
	device = fake_device(test, MEMORY_DEVICE_GENERIC, range.start, range.size);
	KUNIT_ASSERT_EQ(test, fake_device_map(test, device), 0);
	KUNIT_EXPECT_TRUE(test, contents_left_alone(range));
	self_hosted_expect_none(test, range);
	fake_device_unmap(test, device);
}

static struct kunit_case self_hosted_cases[] = {
	KUNIT_CASE_PARAM(add_memory_puts_memmap_into_each_host, counts_gen_params),
	KUNIT_CASE_PARAM(online_of_each_number, counts_gen_params),
	KUNIT_CASE(add_memory_takes_no_memory),
	KUNIT_CASE_PARAM(add_memory_self_hosts_only_when_asked, refusals_gen_params),
	KUNIT_CASE_PARAM(online_accounts_vmemmap_as_present_only, cycles_gen_params),
	KUNIT_CASE(online_pages_are_usable),
	KUNIT_CASE(online_vetoed_keeps_marks),
	KUNIT_CASE(offline_migrates_contents),
	KUNIT_CASE(offline_busy_restores_accounting),
	KUNIT_CASE_PARAM(remove_in_any_order, permutations_gen_params),
	KUNIT_CASE(remove_between_online_neighbours),
	KUNIT_CASE(remove_in_other_pieces_than_added),
	KUNIT_CASE(modes_are_independent),
	KUNIT_CASE(zone_device_is_never_self_hosted),
	{}
};

static struct kunit_suite self_hosted_suite = {
	.name = "mhp_self_hosted",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = self_hosted_cases,
};

kunit_test_suite(self_hosted_suite);

// SPDX-License-Identifier: GPL-2.0
/*
 * memmap_on_memory: each memory block holds its own memmap at its beginning.
 *
 *	start                altmap->free                     end
 *	| memmap of the block | given to the page allocator    |
 *
 * "vmemmap pages" are the first of these two parts.
 */

#include <linux/device.h>
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "blocks.h"
#include "contents.h"
#include "fake_memmap.h"
#include "fake_section.h"
#include "listener.h"
#include "mhp_validate.h"
#include "parameter.h"

static const char * const modes[] = { "Y", "force" };

static const void *mode_gen_params(const void *prev, char *desc)
{
	const char * const *next = prev ? (const char * const *)prev + 1 : modes;

	if (next == modes + ARRAY_SIZE(modes))
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "memmap_on_memory=%s", *next);
	return next;
}

/* Pages that hold the memmap of a memory block, without what "force" adds. */
static unsigned long memmap_pages(void)
{
	return PHYS_PFN(memory_block_size_bytes() / PAGE_SIZE * sizeof(struct page));
}

static struct fake_range add(struct kunit *test, unsigned int nr_blocks)
{
	struct fake_range range = fake_range(test, nr_blocks);

	blocks_need_memmap_on_memory(test, test->param_value ?
				     *(const char * const *)test->param_value : "Y");
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	return range;
}

static struct vmem_altmap *altmap_of(struct kunit *test, struct fake_range range,
				     unsigned int index)
{
	struct vmem_altmap *altmap = blocks_get(test, range, index)->altmap;

	KUNIT_ASSERT_NOT_NULL(test, altmap);
	return altmap;
}

/* The memmap of the block is in the block, in order, and nowhere else. */
static void expect_memmap_inside(struct kunit *test, struct fake_range block)
{
	unsigned long pfn, backing, end = block.pfn + block.nr_pages;

	if (!mhp_memmap_can_be_walked())
		return;
	for (pfn = block.pfn; pfn < end; pfn += PAGE_SIZE / sizeof(struct page)) {
		KUNIT_ASSERT_TRUE(test, mhp_memmap_backing(pfn, &backing));
		KUNIT_ASSERT_EQ_MSG(test, backing, block.pfn +
				    (pfn - block.pfn) * sizeof(struct page) / PAGE_SIZE,
				    "where the struct page of pfn %#lx is", pfn);
	}
}

/* Present and nobody's to allocate: the vmemmap pages of an online block. */
static void expect_vmemmap_pages(struct kunit *test, struct fake_range block)
{
	unsigned long pfn, end = block.pfn + altmap_of(test, block, 0)->free;
	struct zone *zone = blocks_get(test, block, 0)->zone;

	for (pfn = block.pfn; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (!PageReserved(page) && PageVmemmapSelfHosted(page) && !PageOffline(page) &&
		    !PageBuddy(page) && page_count(page) == 1 && page_zone(page) == zone)
			continue;
		KUNIT_FAIL(test, "vmemmap page %#lx: flags %pGp, zone %s, %d references",
			   pfn, &page->flags, page_zone(page)->name, page_count(page));
		return;
	}
	KUNIT_EXPECT_FALSE(test, PageVmemmapSelfHosted(pfn_to_page(end)));
}

static void add_memory_puts_memmap_into_block(struct kunit *test)
{
	struct fake_range range = add(test, 1);
	struct vmem_altmap *altmap = altmap_of(test, range, 0);

	KUNIT_EXPECT_EQ(test, altmap->base_pfn, range.pfn);
	KUNIT_EXPECT_EQ(test, altmap->end_pfn, range.pfn + range.nr_pages - 1);
	KUNIT_EXPECT_EQ(test, altmap->reserve, 0);
	KUNIT_EXPECT_TRUE(test, pageblock_aligned(altmap->free));
	KUNIT_EXPECT_GE(test, altmap->free, memmap_pages());
	KUNIT_EXPECT_LT(test, altmap->free, memmap_pages() + pageblock_nr_pages);
	KUNIT_EXPECT_EQ(test, altmap->alloc, memmap_pages());
	expect_memmap_inside(test, range);
	blocks_expect_state(test, range, MEM_OFFLINE);
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

/* Not one page of existing memory goes into it. */
static void add_memory_takes_no_memory(struct kunit *test)
{
	unsigned long before, after, expected;
	struct fake_range range = add(test, 1);

	/* What page tables and devices need was taken the first time. */
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	before = global_zone_page_state(NR_FREE_PAGES);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	after = global_zone_page_state(NR_FREE_PAGES);
	expected = memmap_pages() / 2;
	KUNIT_EXPECT_LT_MSG(test, (long)(before - after), (long)expected,
			    "pages; the memmap has %lu", memmap_pages());
}

struct cycle {
	const char *mode;
	int online_type;
	enum zone_type zone;
};

static const struct cycle cycles[] = {
	{ "Y", MMOP_ONLINE_KERNEL, ZONE_NORMAL },
	{ "Y", MMOP_ONLINE_MOVABLE, ZONE_MOVABLE },
	{ "force", MMOP_ONLINE_KERNEL, ZONE_NORMAL },
	{ "force", MMOP_ONLINE_MOVABLE, ZONE_MOVABLE },
};

static void cycle_desc(const struct cycle *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "memmap_on_memory=%s, zone %s", c->mode,
		 fake_zone(c->zone)->name);
}

KUNIT_ARRAY_PARAM(cycles, cycles, cycle_desc);

/* Twice: the second time the memmap holds what the first time left. */
static void online_accounts_vmemmap_as_present_only(struct kunit *test)
{
	const struct cycle *c = test->param_value;
	struct fake_range range = fake_range(test, 1);
	struct zone *zone = fake_zone(c->zone);
	struct mhp_state before, after;
	int i;

	blocks_need_memmap_on_memory(test, c->mode);
	KUNIT_ASSERT_EQ(test, fake_add(test, range, MHP_MEMMAP_ON_MEMORY), 0);
	mhp_state_take(&before);
	for (i = 0; i < 2; i++) {
		unsigned long present = zone->present_pages, ram = totalram_pages();
		unsigned long managed = zone_managed_pages(zone);
		unsigned long usable = range.nr_pages - altmap_of(test, range, 0)->free;

		KUNIT_ASSERT_EQ(test, fake_online(test, range, c->online_type), 0);
		blocks_expect_zone(test, range, c->zone);
		KUNIT_EXPECT_EQ(test, zone->present_pages - present, range.nr_pages);
		KUNIT_EXPECT_EQ(test, zone_managed_pages(zone) - managed, usable);
		KUNIT_EXPECT_EQ(test, totalram_pages() - ram, usable);
		expect_vmemmap_pages(test, range);
		KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
		mhp_state_take(&after);
		mhp_state_expect_equal(test, &before, &after);
	}
	KUNIT_EXPECT_EQ(test, altmap_of(test, range, 0)->alloc, memmap_pages());
	KUNIT_ASSERT_EQ(test, fake_remove(test, range), 0);
	blocks_expect_absent(test, range);
}

static void fill(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++)
		memset(page_address(pfn_to_page(pfn + i)), (u8)(pfn + i) ^ 0xa5, PAGE_SIZE);
}

static void expect_filled(struct kunit *test, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++) {
		u8 byte = (u8)(pfn + i) ^ 0xa5;

		if (!memchr_inv(page_address(pfn_to_page(pfn + i)), byte, PAGE_SIZE))
			continue;
		KUNIT_FAIL(test, "pfn %#lx has another content than was written", pfn + i);
		return;
	}
}

/*
 * The first and the last pageblock of the usable part are written all over,
 * which may not touch the memmap.
 */
static void online_pages_are_usable(struct kunit *test)
{
	struct fake_range range = add(test, 1);
	unsigned long head = altmap_of(test, range, 0)->free;
	unsigned long first = range.pfn + head;
	unsigned long last = range.pfn + range.nr_pages - pageblock_nr_pages;
	struct held *held;

	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	held = contents_hold(test, first, pageblock_nr_pages);
	fill(first, pageblock_nr_pages);
	expect_vmemmap_pages(test, range);
	expect_filled(test, first, pageblock_nr_pages);
	contents_release(test, held);

	held = contents_hold(test, last, pageblock_nr_pages);
	fill(last, pageblock_nr_pages);
	expect_memmap_inside(test, range);
	expect_filled(test, last, pageblock_nr_pages);
	contents_release(test, held);
	mhp_validate(test, "writing to the block");
}

static void offline_migrates_contents(struct kunit *test)
{
	struct fake_range range = add(test, 1);
	unsigned long pfn = range.pfn + altmap_of(test, range, 0)->free;
	struct contents *contents;

	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	contents = contents_fill(test, pfn, 3, 16);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 16);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	KUNIT_EXPECT_EQ(test, contents_nr_within(contents, range.pfn, range.nr_pages), 0);
	contents_expect_intact(test, contents);
}

static int try_alloc(unsigned long pfn, unsigned long nr_pages)
{
	int err = alloc_contig_range(pfn, pfn + nr_pages, MIGRATE_MOVABLE, GFP_KERNEL);

	if (!err)
		free_contig_range(pfn, nr_pages);
	return err;
}

static void vmemmap_pages_cannot_be_allocated(struct kunit *test)
{
	struct fake_range range = add(test, 1);
	unsigned long head = altmap_of(test, range, 0)->free;

	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, try_alloc(range.pfn, 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, try_alloc(range.pfn + head - 1, 1), -EBUSY);
	KUNIT_EXPECT_EQ(test, try_alloc(range.pfn, head), -EBUSY);
	KUNIT_EXPECT_EQ(test, try_alloc(range.pfn + head - 1, 2), -EBUSY);
	KUNIT_EXPECT_EQ(test, try_alloc(range.pfn + head, 1), 0);
	expect_vmemmap_pages(test, range);
	mhp_validate(test, "alloc_contig_range");
}

/* offline_pages() is for what online_pages() was called on, not for all of it. */
static void vmemmap_pages_cannot_be_offlined(struct kunit *test)
{
	struct fake_range range = add(test, 1);
	struct mhp_state before, after;

	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	mhp_state_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline_pages(test, range.pfn, range.nr_pages), -EBUSY);
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
	expect_vmemmap_pages(test, range);
}

static void offline_busy_restores_accounting(struct kunit *test)
{
	struct fake_range range = add(test, 1);
	struct mhp_state before, after;
	struct held *held;

	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_KERNEL), 0);
	held = contents_hold(test, range.pfn + range.nr_pages - 1, 1);
	mhp_state_take(&before);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), -EBUSY);
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &before, &after);
	expect_vmemmap_pages(test, range);
	contents_release(test, held);
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), 0);
}

static const unsigned long vetoes[] = { MEM_PREPARE_ONLINE, MEM_GOING_ONLINE };

static void online_vetoed_takes_vmemmap_pages_back(struct kunit *test)
{
	struct fake_range range = add(test, 1);
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
		blocks_expect_state(test, range, MEM_OFFLINE);
		KUNIT_EXPECT_NULL(test, blocks_get(test, range, 0)->zone);
	}
	KUNIT_EXPECT_EQ(test, altmap_of(test, range, 0)->alloc, memmap_pages());

	listener->veto = 0;
	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE_MOVABLE), 0);
	expect_vmemmap_pages(test, range);
	listener->veto = MEM_GOING_OFFLINE;
	KUNIT_EXPECT_EQ(test, fake_offline(test, range), -EPERM);
	expect_vmemmap_pages(test, range);
}

/* Listeners are told of both parts before, and of the usable one only later. */
static void notifications_tell_parts_apart(struct kunit *test)
{
	struct fake_range range = add(test, 1);
	unsigned long head = altmap_of(test, range, 0)->free;
	struct listener *listener = listener_add(test, 0);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, fake_online(test, range, MMOP_ONLINE), 0);
	KUNIT_ASSERT_EQ(test, fake_offline(test, range), 0);
	LISTENER_EXPECT(test, listener, MEM_PREPARE_ONLINE, MEM_GOING_ONLINE, MEM_ONLINE,
			MEM_GOING_OFFLINE, MEM_OFFLINE, MEM_FINISH_OFFLINE);
	KUNIT_ASSERT_EQ(test, listener->nr_events, 6);
	for (i = 0; i < 6; i++) {
		KUNIT_EXPECT_EQ(test, listener->events[i].arg.start_pfn, range.pfn + head);
		KUNIT_EXPECT_EQ(test, listener->events[i].arg.nr_pages, range.nr_pages - head);
	}
	for (i = 0; i < 6; i += 5) {
		KUNIT_EXPECT_EQ(test, listener->events[i].arg.altmap_start_pfn, range.pfn);
		KUNIT_EXPECT_EQ(test, listener->events[i].arg.altmap_nr_pages, head);
	}
}

static struct kunit_case memmap_on_memory_cases[] = {
	KUNIT_CASE_PARAM(add_memory_puts_memmap_into_block, mode_gen_params),
	KUNIT_CASE(add_memory_takes_no_memory),
	KUNIT_CASE_PARAM(online_accounts_vmemmap_as_present_only, cycles_gen_params),
	KUNIT_CASE_PARAM(online_pages_are_usable, mode_gen_params),
	KUNIT_CASE(offline_migrates_contents),
	KUNIT_CASE_PARAM(vmemmap_pages_cannot_be_allocated, mode_gen_params),
	KUNIT_CASE(vmemmap_pages_cannot_be_offlined),
	KUNIT_CASE(offline_busy_restores_accounting),
	KUNIT_CASE_PARAM(online_vetoed_takes_vmemmap_pages_back, mode_gen_params),
	KUNIT_CASE(notifications_tell_parts_apart),
	{}
};

static struct kunit_suite memmap_on_memory_suite = {
	.name = "mhp_memmap_on_memory",
	.init = fake_world_init,
	.exit = fake_world_exit,
	.test_cases = memmap_on_memory_cases,
};

kunit_test_suite(memmap_on_memory_suite);

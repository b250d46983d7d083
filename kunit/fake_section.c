// SPDX-License-Identifier: GPL-2.0
/*
 * The fixture of the memory hotplug suites; see fake_section.h.
 */

#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "fake_section.h"
#include "mhp_validate.h"
#include "reports.h"
#include "withheld.h"

/* Ranges are this many blocks apart, so that they have no neighbours. */
#define FAKE_GUARD	1

/* Sections that were plugged in without memory blocks. */
struct plugged {
	struct list_head list;
	struct fake_range range;
	struct vmem_altmap *altmap;
	struct resource *res;
};

/* What a case wants undone at its end. */
struct action {
	struct list_head list;
	fake_action_t *fn;
	void *arg;
};

struct fake_world {
	struct list_head plugged;
	struct list_head actions;
	struct mhp_state before;
	struct range limit;	/* where fake_range() looks, bytes */
	u64 next;		/* and where it goes on */
};

static struct fake_world *world(struct kunit *test)
{
	return test->priv;
}

static struct fake_range make_range(u64 start, unsigned int nr_blocks)
{
	u64 size = (u64)nr_blocks * memory_block_size_bytes();

	return (struct fake_range) {
		.start = start,
		.size = size,
		.pfn = PHYS_PFN(start),
		.nr_pages = PHYS_PFN(size),
		.nr_blocks = nr_blocks,
	};
}

/**
 * fake_range() - addresses for the running case
 * @test: the case; it ends here when there are none, see withheld.h
 * @nr_blocks: how many memory blocks
 *
 * Nothing is plugged in yet.  Two ranges of one case are never adjacent; blocks
 * that shall be neighbours come from one range, see fake_block().
 *
 * Return: the range.
 */
struct fake_range fake_range(struct kunit *test, unsigned int nr_blocks)
{
	const u64 block = memory_block_size_bytes();
	const u64 size = nr_blocks * block;
	struct range limit = world(test)->limit;
	u64 start;

	if (!limit.end)
		kunit_skip(test, "no RAM was kept from the kernel for this: mhp_ram= is not given");
	if (size > range_len(&limit))
		kunit_skip(test, "%u memory blocks are more than there is room for, %llu MiB",
			   nr_blocks, range_len(&limit) / SZ_1M);
	for (start = world(test)->next; start + size - 1 <= limit.end; start += block) {
		if (region_intersects(start, size, 0, IORES_DESC_NONE) !=
		    REGION_DISJOINT)
			continue;
		world(test)->next = start + size + FAKE_GUARD * block;
		return make_range(start, nr_blocks);
	}
	KUNIT_FAIL_AND_ABORT(test, "no %u free memory blocks of %llu bytes below %#llx",
			     nr_blocks, block, limit.end);
	return make_range(0, 0);
}

/**
 * fake_block() - one memory block of a range
 * @test: the running case
 * @range: the range
 * @index: which one, from 0
 *
 * Return: the block, as a range of its own.
 */
struct fake_range fake_block(struct kunit *test, struct fake_range range,
			     unsigned int index)
{
	return fake_sub_range(test, range, index, 1);
}

/**
 * fake_sub_range() - some neighbouring memory blocks of a range
 * @test: the running case
 * @range: the range
 * @index: the first of them, from 0
 * @nr_blocks: how many
 *
 * Return: the blocks, as a range of their own.
 */
struct fake_range fake_sub_range(struct kunit *test, struct fake_range range,
				 unsigned int index, unsigned int nr_blocks)
{
	KUNIT_ASSERT_LE(test, index + nr_blocks, range.nr_blocks);
	return make_range(range.start + (u64)index * memory_block_size_bytes(), nr_blocks);
}

/**
 * fake_skip_without_series() - skip a case that the base cannot pass
 * @test: the running case; it ends here when the series is not in this kernel
 * @why: what the series mends or adds
 */
void fake_skip_without_series(struct kunit *test, const char *why)
{
	if (!IS_ENABLED(CONFIG_MHP_SERIES))
		kunit_skip(test, "CONFIG_MHP_SERIES is not set: %s", why);
}

/**
 * fake_skip_if_allocations_are_recorded() - skip a case that looks for the loss of a few pages
 * @test: the running case; it ends here where each allocation makes others
 */
void fake_skip_if_allocations_are_recorded(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) || IS_ENABLED(CONFIG_PAGE_OWNER) ||
	    IS_ENABLED(CONFIG_KASAN_GENERIC))
		kunit_skip(test, "kmemleak, page_owner and KASAN take pages for what they record");
}

/**
 * fake_free_pages() - free pages of the system, those on per-CPU lists included
 *
 * Return: pages; nothing that was freed before is still on its way.
 */
unsigned long fake_free_pages(void)
{
	unsigned long count = 0;
	struct zone *zone;

	rcu_barrier();
	kvfree_rcu_barrier();
	drain_all_pages(NULL);
	/* With SMP, what a CPU has not folded into the global counter is part of it. */
	for_each_populated_zone(zone)
		count += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	return count;
}

/**
 * fake_zone() - a zone of node 0
 * @type: which one
 */
struct zone *fake_zone(enum zone_type type)
{
	return &NODE_DATA(0)->node_zones[type];
}

static int block_count(struct memory_block *mem, void *arg)
{
	unsigned int *count = arg;

	++*count;
	return 0;
}

static int block_is_offline(struct memory_block *mem, void *arg)
{
	return mem->state == MEM_ONLINE ? 0 : 1;
}

/**
 * fake_is_online() - whether all memory blocks of a range are there and online
 * @range: the range
 */
bool fake_is_online(struct fake_range range)
{
	unsigned int count = 0;

	walk_memory_blocks(range.start, range.size, &count, block_count);
	return count == range.nr_blocks &&
	       !walk_memory_blocks(range.start, range.size, NULL, block_is_offline);
}

/**
 * fake_nr_present_sections() - sections of a range that have a memmap
 * @range: the range
 */
unsigned long fake_nr_present_sections(struct fake_range range)
{
	unsigned long pfn, count = 0;

	for (pfn = range.pfn; pfn < range.pfn + range.nr_pages; pfn += PAGES_PER_SECTION)
		count += present_section_nr(pfn_to_section_nr(pfn));
	return count;
}

/**
 * fake_add() - hot-add memory blocks, through add_memory()
 * @test: the running case
 * @range: which; they are offline afterwards
 * @flags: MHP_*
 *
 * Return: what add_memory() returns.
 */
int fake_add(struct kunit *test, struct fake_range range, mhp_t flags)
{
	int err = add_memory(0, range.start, range.size, flags);

	mhp_validate(test, "add_memory");
	return err;
}

static int block_online(struct memory_block *mem, void *arg)
{
	mem->online_type = *(int *)arg;
	return device_online(&mem->dev);
}

/**
 * fake_online() - online memory blocks, as a write to their sysfs file does
 * @test: the running case
 * @range: which
 * @online_type: MMOP_ONLINE, MMOP_ONLINE_KERNEL or MMOP_ONLINE_MOVABLE
 *
 * Return: 0; 1 when a block was online already, which ends the walk; -errno.
 */
int fake_online(struct kunit *test, struct fake_range range, int online_type)
{
	int err;

	lock_device_hotplug();
	err = walk_memory_blocks(range.start, range.size, &online_type, block_online);
	unlock_device_hotplug();
	mhp_validate(test, "device_online");
	return err;
}

static int block_offline(struct memory_block *mem, void *arg)
{
	return device_offline(&mem->dev);
}

/**
 * fake_offline() - offline memory blocks, as a write to their sysfs file does
 * @test: the running case
 * @range: which
 *
 * Return: 0; 1 when a block was offline already, which ends the walk; -errno.
 */
int fake_offline(struct kunit *test, struct fake_range range)
{
	int err;

	lock_device_hotplug();
	err = walk_memory_blocks(range.start, range.size, NULL, block_offline);
	unlock_device_hotplug();
	mhp_validate(test, "device_offline");
	return err;
}

/**
 * fake_remove() - hot-remove memory blocks, through remove_memory()
 * @test: the running case
 * @range: which
 *
 * Return: what remove_memory() returns.
 */
int fake_remove(struct kunit *test, struct fake_range range)
{
	int err = remove_memory(range.start, range.size);

	mhp_validate(test, "remove_memory");
	return err;
}

static int plug(struct kunit *test, struct fake_range range, struct mhp_params *params)
{
	struct plugged *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->range = range;
	p->altmap = params->altmap;
	p->res = request_mem_region(range.start, range.size, "System RAM (fake)");
	if (!p->res) {
		kfree(p);
		return -EEXIST;
	}
	p->res->flags |= IORESOURCE_SYSRAM;

	mhp_validate_expect_bare(range.pfn, range.nr_pages, true);
	mem_hotplug_begin();
	err = arch_add_memory(0, range.start, range.size, params);
	mem_hotplug_done();
	if (err) {
		mhp_validate_expect_bare(range.pfn, range.nr_pages, false);
		release_mem_region(range.start, range.size);
		kfree(p);
	} else {
		list_add(&p->list, &world(test)->plugged);
	}
	mhp_validate(test, "arch_add_memory");
	return err;
}

/**
 * fake_plug() - plug in sections, through arch_add_memory()
 * @test: the running case
 * @range: which; they are offline afterwards and have no memory blocks
 * @altmap: where their memmap goes, or %NULL; has to live until fake_unplug()
 *
 * Return: what arch_add_memory() returns.
 */
int fake_plug(struct kunit *test, struct fake_range range,
	      struct vmem_altmap *altmap)
{
	struct mhp_params params = { .pgprot = PAGE_KERNEL, .altmap = altmap };

	return plug(test, range, &params);
}

/**
 * fake_plug_self_hosted() - plug in sections that hold their own memmap
 * @test: the running case; skipped where the kernel has no such thing
 * @range: which; they are offline afterwards and have no memory blocks
 *
 * Return: what arch_add_memory() returns.
 */
int fake_plug_self_hosted(struct kunit *test, struct fake_range range)
{
#ifdef CONFIG_MHP_SELF_HOSTED
	struct mhp_params params = { .pgprot = PAGE_KERNEL, .self_hosted = true };

	return plug(test, range, &params);
#else
	kunit_skip(test, "CONFIG_MHP_SELF_HOSTED is not set");
	return -EOPNOTSUPP;
#endif
}

static void unplug(struct plugged *p)
{
	mem_hotplug_begin();
	arch_remove_memory(p->range.start, p->range.size, p->altmap, NULL);
	mem_hotplug_done();
	mhp_validate_expect_bare(p->range.pfn, p->range.nr_pages, false);
	release_mem_region(p->range.start, p->range.size);
	list_del(&p->list);
	kfree(p);
}

/**
 * fake_unplug() - unplug sections, through arch_remove_memory()
 * @test: the running case
 * @range: what was given to fake_plug(), offline again
 */
void fake_unplug(struct kunit *test, struct fake_range range)
{
	struct plugged *p, *next;

	list_for_each_entry_safe(p, next, &world(test)->plugged, list) {
		if (p->range.start != range.start || p->range.size != range.size)
			continue;
		unplug(p);
		mhp_validate(test, "arch_remove_memory");
		return;
	}
	KUNIT_FAIL(test, "%#llx-%#llx was not plugged in", range.start,
		   range.start + range.size - 1);
}

/**
 * fake_online_pages() - call online_pages()
 * @test: the running case
 * @pfn: first page, given on as it is
 * @nr_pages: pages, given on as they are
 * @zone: zone of node 0
 *
 * Return: what online_pages() returns.
 */
int fake_online_pages(struct kunit *test, unsigned long pfn,
		      unsigned long nr_pages, enum zone_type zone)
{
	int err;

	mem_hotplug_begin();
	err = online_pages(pfn, nr_pages, fake_zone(zone), NULL);
	mem_hotplug_done();
	mhp_validate(test, "online_pages");
	return err;
}

/**
 * fake_offline_pages() - call offline_pages() on pages of one zone
 * @test: the running case
 * @pfn: first page, given on as it is
 * @nr_pages: pages, given on as they are
 *
 * Return: what offline_pages() returns.
 */
int fake_offline_pages(struct kunit *test, unsigned long pfn,
		       unsigned long nr_pages)
{
	int err;

	mem_hotplug_begin();
	err = offline_pages(pfn, nr_pages, page_zone(pfn_to_page(pfn)), NULL);
	mem_hotplug_done();
	mhp_validate(test, "offline_pages");
	return err;
}

static int block_to_remove(struct memory_block *mem, void *arg)
{
	u64 *start = arg;

	*start = PFN_PHYS(section_nr_to_pfn(mem->start_section_nr));
	return 1;
}

/* The memory blocks at the addresses this case was given. */
static void put_back_blocks(struct kunit *test)
{
	const u64 block = memory_block_size_bytes();
	u64 start = world(test)->limit.start;

	while (start < world(test)->next &&
	       walk_memory_blocks(start, world(test)->next - start, &start,
				  block_to_remove)) {
		int err = offline_and_remove_memory(start, block);

		if (err)
			KUNIT_FAIL(test, "memory block %#llx stays behind: error %d",
				   start, err);
		start += block;
	}
}

/* The sections that this case plugged in; online ones are offlined first. */
static void put_back_sections(struct kunit *test)
{
	struct plugged *p, *next;

	list_for_each_entry_safe(p, next, &world(test)->plugged, list) {
		unsigned long pfn, next_pfn, end = p->range.pfn + p->range.nr_pages;
		int err = 0;

		for (pfn = p->range.pfn; pfn < end; pfn = next_pfn) {
			next_pfn = min(end, SECTION_ALIGN_UP(pfn + 1));
			if (pfn_to_online_page(next_pfn - 1))
				err = err ?: fake_offline_pages(test, pfn,
								next_pfn - pfn);
		}
		if (err)
			KUNIT_FAIL(test, "sections at %#llx stay behind: error %d",
				   p->range.start, err);
		else
			unplug(p);
	}
}

/**
 * fake_add_action() - have something undone before the fixture cleans up
 * @test: the running case
 * @fn: what to call, the last one added first
 * @arg: argument of @fn; has to live until then
 *
 * As kunit_add_action(), whose actions run too late: after fake_world_exit(),
 * which can put nothing back while a notifier vetoes or a page is held.
 */
void fake_add_action(struct kunit *test, fake_action_t *fn, void *arg)
{
	struct action *action = kunit_kzalloc(test, sizeof(*action), GFP_KERNEL);

	if (!action)
		fn(arg);
	KUNIT_ASSERT_NOT_NULL(test, action);
	action->fn = fn;
	action->arg = arg;
	list_add(&action->list, &world(test)->actions);
}

/**
 * fake_release_action() - call what fake_add_action() took down, now
 * @test: the running case
 * @fn: as it was given then
 * @arg: as it was given then
 */
void fake_release_action(struct kunit *test, fake_action_t *fn, void *arg)
{
	struct action *action;

	list_for_each_entry(action, &world(test)->actions, list) {
		if (action->fn != fn || action->arg != arg)
			continue;
		list_del(&action->list);
		fn(arg);
		return;
	}
	KUNIT_FAIL(test, "%ps() was not added with this argument", fn);
}

static void run_actions(struct fake_world *w)
{
	struct action *action, *next;

	list_for_each_entry_safe(action, next, &w->actions, list)
		action->fn(action->arg);
	INIT_LIST_HEAD(&w->actions);
}

/**
 * fake_world_init() - the fixture's beginning, for a suite's init
 * @test: the case that is about to run; its priv belongs to the fixture
 *
 * Return: 0, or -ENOMEM.
 */
int fake_world_init(struct kunit *test)
{
	struct fake_world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	if (!w)
		return -ENOMEM;
	INIT_LIST_HEAD(&w->plugged);
	INIT_LIST_HEAD(&w->actions);
	if (!withheld_range(&w->limit))
		w->limit = (struct range) { };
	w->next = ALIGN(w->limit.start, memory_block_size_bytes());
	test->priv = w;
	reports_forget();
	mhp_validate(test, "the fixture's set-up");
	mhp_state_take(&w->before);
	return 0;
}

/**
 * fake_world_exit() - the fixture's end, for a suite's exit
 * @test: the case that ran
 *
 * Offlines and removes what the case left, and fails it when that is not
 * possible or when the world is not what it was before.
 */
void fake_world_exit(struct kunit *test)
{
	struct mhp_state after;

	if (!world(test))
		return;
	run_actions(world(test));
	put_back_blocks(test);
	put_back_sections(test);
	/* Usage maps of removed sections are freed by RCU. */
	rcu_barrier();
	mhp_validate(test, "the fixture's clean-up");
	mhp_state_take(&after);
	mhp_state_expect_equal(test, &world(test)->before, &after);
}

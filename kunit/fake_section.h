/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_FAKE_SECTION_H
#define MHP_FAKE_SECTION_H

#include <kunit/test.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mmzone.h>

/*
 * Fake memory sections: physical addresses at which nothing is plugged in, and
 * real memory hotplug done to them.
 *
 * A suite names fake_world_init() and fake_world_exit() as its init and exit.
 * A case asks fake_range() for addresses and hands them to the operations
 * below.  Each of these calls the kernel's own function with the locks its
 * callers hold, and validates the hotplug state afterwards (mhp_validate.h).
 * What a case leaves behind is taken away by fake_world_exit(), or the case
 * fails.
 *
 * There are two ways to plug memory in, and a range is used in one of them:
 *
 *	blocks		fake_add() .. fake_online() .. fake_offline() ..
 *			fake_remove(): what a driver and user space do
 *	sections	fake_plug() .. fake_online_pages() ..
 *			fake_offline_pages() .. fake_unplug(): the same one
 *			level down, without memory block devices, so that
 *			online_pages() and offline_pages() get any arguments
 *
 * All ranges are in bytes where they are called start and size, and in pages
 * where they are called pfn and nr_pages.
 */

/**
 * struct fake_range - physical addresses that belong to the running case
 * @start: first byte, aligned to a memory block
 * @size: bytes, whole memory blocks
 * @pfn: first page
 * @nr_pages: pages
 * @nr_blocks: memory blocks
 */
struct fake_range {
	u64 start;
	u64 size;
	unsigned long pfn;
	unsigned long nr_pages;
	unsigned int nr_blocks;
};

typedef void (fake_action_t)(void *arg);

int fake_world_init(struct kunit *test);
void fake_world_exit(struct kunit *test);
void fake_add_action(struct kunit *test, fake_action_t *fn, void *arg);
void fake_release_action(struct kunit *test, fake_action_t *fn, void *arg);

void fake_skip_without_series(struct kunit *test, const char *why);
void fake_skip_if_allocations_are_recorded(struct kunit *test);

struct fake_range fake_range(struct kunit *test, unsigned int nr_blocks);
struct fake_range fake_block(struct kunit *test, struct fake_range range,
			     unsigned int index);
struct fake_range fake_sub_range(struct kunit *test, struct fake_range range,
				 unsigned int index, unsigned int nr_blocks);

/* Blocks */
int fake_add(struct kunit *test, struct fake_range range, mhp_t flags);
int fake_online(struct kunit *test, struct fake_range range, int online_type);
int fake_offline(struct kunit *test, struct fake_range range);
int fake_remove(struct kunit *test, struct fake_range range);

/* Sections */
int fake_plug(struct kunit *test, struct fake_range range,
	      struct vmem_altmap *altmap);
int fake_plug_self_hosted(struct kunit *test, struct fake_range range);
void fake_unplug(struct kunit *test, struct fake_range range);
int fake_online_pages(struct kunit *test, unsigned long pfn,
		      unsigned long nr_pages, enum zone_type zone);
int fake_offline_pages(struct kunit *test, unsigned long pfn,
		       unsigned long nr_pages);

/* Looking at what came of it */
struct zone *fake_zone(enum zone_type type);
bool fake_is_online(struct fake_range range);
unsigned long fake_free_pages(void);
unsigned long fake_nr_present_sections(struct fake_range range);

#endif /* MHP_FAKE_SECTION_H */

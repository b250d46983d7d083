/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_VALIDATE_H
#define MHP_VALIDATE_H

#include <kunit/test.h>
#include <linux/mmzone.h>

/*
 * The validator of memory hotplug: a table of checks, each of which compares
 * one thing that mm/ keeps about memory with what is really there.
 *
 * The callers hold neither device_hotplug_lock nor mem_hotplug_lock nor a lock
 * of a zone, and may sleep: not from a memory notifier.
 */

#define MHP_MAX_LINES	12	/* violations that are kept of one validation */
#define MHP_LINE_LEN	240

/**
 * struct mhp_violation - something that is not as it has to be
 * @check: name of the check that found it
 * @see: functions of mm/ that are to keep it right, or %NULL
 * @text: what is wrong, with numbers, and where
 */
struct mhp_violation {
	const char *check;
	const char *see;
	char text[MHP_LINE_LEN];
};

/**
 * struct mhp_violations - what a validation found
 * @count: how many violations
 * @nr_lines: how many of them are in @line
 * @memmap_unsafe: the checks that read struct pages were left out, because part
 *		   of the memmap is not there to be read
 * @line: the violations
 */
struct mhp_violations {
	unsigned int count;
	unsigned int nr_lines;
	bool memmap_unsafe;
	struct mhp_violation line[MHP_MAX_LINES];
};

int mhp_find_violations(struct mhp_violations *found);
void mhp_validate(struct kunit *test, const char *after);

/* Where the memmap is */
bool mhp_memmap_can_be_walked(void);
bool mhp_memmap_backing(unsigned long pfn, unsigned long *backing);
bool mhp_memmap_is_at(unsigned long pfn, unsigned long nr_pages, unsigned long backing);
bool mhp_memmap_is_stale(unsigned long pfn);

/* What is right only because the test wants it so */
void mhp_validate_expect_bare(unsigned long pfn, unsigned long nr_pages, bool expect);
void mhp_validate_expect_isolated(unsigned long pfn, unsigned long nr_pages, bool expect);

/* Nodes beyond share the entries of a state, summed up. */
#define MHP_STATE_NODES	(MAX_NUMNODES < 8 ? MAX_NUMNODES : 8)

/**
 * struct mhp_zone_state - a zone, all in pages
 * @start_pfn: first page of its first sub-section; 0 for ZONE_DEVICE, which
 *	       never shrinks
 * @spanned: pages from there to the end of its last sub-section; 0 for
 *	     ZONE_DEVICE
 * @present: pages that are there
 * @managed: pages that the page allocator has or gave out
 */
struct mhp_zone_state {
	unsigned long start_pfn;
	unsigned long spanned;
	unsigned long present;
	unsigned long managed;
};

/**
 * struct mhp_state - what a case has to leave as it found it
 * @present_sections: sections that have a memmap
 * @online_sections: those that are online
 * @early_sections: those that were there at boot
 * @blocks: memory blocks
 * @online_blocks: those that are online
 * @ram_ranges: System RAM in the resource tree, ranges
 * @ram_pages: System RAM in the resource tree, pages
 * @totalram: pages that the page allocator has or gave out
 * @memmap_pages: nr_memmap_pages of /proc/vmstat
 * @memmap_boot_pages: nr_memmap_boot_pages of /proc/vmstat
 * @mapped_memmap: bytes of the vmemmap that are mapped
 * @zone: the zones of all nodes
 */
struct mhp_state {
	unsigned long present_sections;
	unsigned long online_sections;
	unsigned long early_sections;
	unsigned long blocks;
	unsigned long online_blocks;
	unsigned long ram_ranges;
	unsigned long ram_pages;
	unsigned long totalram;
	unsigned long memmap_pages;
	unsigned long memmap_boot_pages;
	unsigned long mapped_memmap;
	struct mhp_zone_state zone[MHP_STATE_NODES][MAX_NR_ZONES];
};

void mhp_state_take(struct mhp_state *state);
int mhp_state_compare(const struct mhp_state *before, const struct mhp_state *after,
		      struct mhp_violations *found);
void mhp_state_expect_equal(struct kunit *test, const struct mhp_state *before,
			    const struct mhp_state *after);

#endif /* MHP_VALIDATE_H */

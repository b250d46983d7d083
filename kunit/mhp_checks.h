/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_CHECKS_H
#define MHP_CHECKS_H

/* Between the files of the validator; tests include mhp_validate.h. */

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mmzone.h>

#include "mhp_validate.h"

/**
 * struct mhp_zone_survey - what is really there of a zone, in pages
 * @present: online pages of System RAM
 * @early: those of them in sections that were there at boot
 * @unmanaged: those of them that the page allocator never had
 * @isolated: pageblocks that are MIGRATE_ISOLATE
 * @expected_isolated: those of them that a test says are right
 * @start_pfn: first online page
 * @end_pfn: page after the last online one
 */
struct mhp_zone_survey {
	unsigned long present;
	unsigned long early;
	unsigned long unmanaged;
	unsigned long isolated;
	unsigned long expected_isolated;
	unsigned long start_pfn;
	unsigned long end_pfn;
};

/**
 * struct mhp_ctx - a validation that is running
 * @found: where violations go
 * @name: the check that is running
 * @see: the functions that it is about
 * @nr_of_check: violations that it found
 * @memmap_pages: see mhp_memmap_counters()
 * @memmap_boot_pages: see mhp_memmap_counters()
 * @zones: what is really there, see mhp_survey_of(); filled by check_online_pages()
 */
struct mhp_ctx {
	struct mhp_violations *found;
	const char *name;
	const char *see;
	unsigned int nr_of_check;
	unsigned long memmap_pages;
	unsigned long memmap_boot_pages;
	struct mhp_zone_survey *zones;
};

/**
 * struct mhp_boot - what was so when the first validation looked
 * @early_sections: sections that are IS_EARLY
 * @last_early_section: the last of them
 * @memmap_extra: nr_memmap_pages that are no memmap of sections
 * @memmap_boot_extra: nr_memmap_boot_pages that are no memmap of sections
 * @zone_start_pfn: per zone, see mhp_zone_index()
 * @zone_end_pfn: per zone
 */
struct mhp_boot {
	unsigned long early_sections;
	unsigned long last_early_section;
	long memmap_extra;
	long memmap_boot_extra;
	unsigned long *zone_start_pfn;
	unsigned long *zone_end_pfn;
};

extern struct mhp_boot mhp_boot;

__printf(2, 3) void mhp_violation(struct mhp_ctx *ctx, const char *fmt, ...);
bool mhp_is_bare(unsigned long pfn);
bool mhp_is_isolation_expected(unsigned long pfn);

static inline unsigned int mhp_zone_index(struct zone *zone)
{
	return zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone);
}

static inline struct mhp_zone_survey *mhp_survey_of(struct mhp_ctx *ctx,
						    struct zone *zone)
{
	return &ctx->zones[mhp_zone_index(zone)];
}

static inline unsigned long mhp_sections_per_block(void)
{
	return PHYS_PFN(memory_block_size_bytes()) / PAGES_PER_SECTION;
}

#define MHP_MEMMAP_BYTES(nr_pages)	((nr_pages) * sizeof(struct page))

/**
 * struct mhp_name - what a violation calls something
 * @s: the name; lives as long as the expression that made it
 */
struct mhp_name {
	char s[80];
};

struct mhp_name section_name(unsigned long section_nr);
struct mhp_name block_name(struct memory_block *mem);
struct mhp_name zone_name(struct zone *zone);
struct mhp_name off_by(long pages);

static inline bool mhp_zone_is_device(struct zone *zone)
{
#ifdef CONFIG_ZONE_DEVICE
	return zone_idx(zone) == ZONE_DEVICE;
#else
	return false;
#endif
}

/* Sections: mhp_validate_sections.c */
void check_section_flags(struct mhp_ctx *ctx);
void check_section_usage(struct mhp_ctx *ctx);
void check_subsection_map(struct mhp_ctx *ctx);
void check_offline_memmap(struct mhp_ctx *ctx);
bool mhp_has_memmap(unsigned long pfn);
bool mhp_is_device_pfn(unsigned long pfn);

/* Memory blocks and resources: mhp_validate_blocks.c */
void check_block_sections(struct mhp_ctx *ctx);
void check_bare_sections(struct mhp_ctx *ctx);
void check_block_state(struct mhp_ctx *ctx);
void check_block_zone(struct mhp_ctx *ctx);
void check_block_altmap(struct mhp_ctx *ctx);
void check_memory_groups(struct mhp_ctx *ctx);
void check_system_ram(struct mhp_ctx *ctx);

/* The memmap: mhp_validate_vmemmap.c */
void check_vmemmap_mapping(struct mhp_ctx *ctx);
void check_vmemmap_backing(struct mhp_ctx *ctx);

/* Memory that hosts its own memmap: mhp_validate_hosted.c */
void check_vmemmap_marks(struct mhp_ctx *ctx);
bool mhp_is_hosted_by(unsigned long pfn, unsigned long backing);

/**
 * struct mhp_leaf - mappings in the virtual memmap that follow each other, as
 *		     does what backs them
 * @addr: first byte
 * @size: bytes
 * @unit: bytes of each mapping; there are @size / @unit of them
 * @pfn: first page of what backs them
 */
struct mhp_leaf {
	unsigned long addr;
	unsigned long size;
	unsigned long unit;
	unsigned long pfn;
};

typedef void mhp_leaf_fn_t(struct mhp_leaf *leaf, void *arg);

/* Page tables: mhp_memmap_walk.c */
void mhp_walk_memmap(unsigned long pfn, unsigned long end_pfn, mhp_leaf_fn_t *fn, void *arg);
void mhp_walk_whole_memmap(mhp_leaf_fn_t *fn, void *arg);
void mhp_count_leaf(struct mhp_leaf *leaf, void *arg);
unsigned long mhp_mapped_memmap(void);

/* Counters of memmap pages: mhp_vmstat.c */
void check_memmap_counters(struct mhp_ctx *ctx);
bool mhp_memmap_is_countable(void);
void mhp_memmap_counters(unsigned long *pages, unsigned long *boot_pages);
void mhp_expected_memmap(unsigned long *pages, unsigned long *boot_pages);

/* Pages and zones: mhp_validate_zones.c */
void check_online_pages(struct mhp_ctx *ctx);
void check_zone_present(struct mhp_ctx *ctx);
void check_zone_managed(struct mhp_ctx *ctx);
void check_zone_span(struct mhp_ctx *ctx);
void check_zone_contiguous(struct mhp_ctx *ctx);

/* Nodes, and all memory: mhp_validate_nodes.c */
void check_node(struct mhp_ctx *ctx);
void check_zonelists(struct mhp_ctx *ctx);
void check_totalram(struct mhp_ctx *ctx);
void check_max_pfn(struct mhp_ctx *ctx);

/* The page allocator: mhp_validate_buddy.c */
void check_isolation(struct mhp_ctx *ctx);
void check_free_lists(struct mhp_ctx *ctx);
void check_pcp(struct mhp_ctx *ctx);

#endif /* MHP_CHECKS_H */

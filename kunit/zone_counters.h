/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_ZONE_COUNTERS_H
#define MHP_ZONE_COUNTERS_H

#include <kunit/test.h>
#include <linux/mmzone.h>

/*
 * What a failed online_pages() or offline_pages() has to leave as it was, of
 * all zones of node 0.
 */

/**
 * struct zone_counters - a snapshot of it; made by zone_counters_take()
 * @zones: of each zone; pages unless it is said otherwise
 * @totalram: pages
 * @lru_disabled: whether per-CPU LRU caches are switched off
 */
struct zone_counters {
	struct {
		unsigned long start_pfn;
		unsigned long spanned;
		unsigned long present;
		unsigned long managed;
		unsigned long isolated;		/* pageblocks */
		long pcp_high_min;
		long pcp_high_max;
		long pcp_batch;
	} zones[MAX_NR_ZONES];
	unsigned long totalram;
	bool lru_disabled;
};

void zone_counters_take(struct zone_counters *counters);
void zone_counters_expect(struct kunit *test, const struct zone_counters *before);
void free_pages_expect_kept(struct kunit *test,
			    void (*cycle)(struct kunit *, unsigned long pfn, unsigned int cycles),
			    unsigned long pfn, unsigned int cycles, long lost);
void pageblocks_expect_usable(struct kunit *test, unsigned long pfn,
			      unsigned long nr_pages);

#endif /* MHP_ZONE_COUNTERS_H */

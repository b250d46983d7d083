/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_CONTENTS_H
#define MHP_CONTENTS_H

#include <kunit/test.h>
#include <linux/types.h>

#include "fake_section.h"

/*
 * What fills online memory: page cache with a known content, which can be
 * migrated, and pages that somebody holds, which cannot.  Both at the page
 * frames that the case names.  And what memory holds that comes again.
 */

struct contents;

struct contents *contents_fill(struct kunit *test, unsigned long pfn,
			       unsigned long stride, unsigned int nr);
void contents_drop(struct kunit *test, struct contents *contents);
void contents_expect_intact(struct kunit *test, struct contents *contents);
unsigned int contents_nr_within(struct contents *contents, unsigned long pfn,
				unsigned long nr_pages);

void contents_leave(struct kunit *test, struct fake_range range);
bool contents_left_alone(struct fake_range range);

struct held;

struct held *contents_hold(struct kunit *test, unsigned long pfn,
			   unsigned long nr_pages);
void contents_release(struct kunit *test, struct held *held);

#endif /* MHP_CONTENTS_H */

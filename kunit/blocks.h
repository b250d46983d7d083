/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_BLOCKS_H
#define MHP_BLOCKS_H

#include <kunit/test.h>
#include <linux/memory.h>

#include "fake_section.h"

/* What memory hotplug made of a range: devices, sections, resources. */

struct memory_block *blocks_get(struct kunit *test, struct fake_range range,
				unsigned int index);
void blocks_expect_state(struct kunit *test, struct fake_range range,
			 enum memory_block_state state);
void blocks_expect_zone(struct kunit *test, struct fake_range range,
			enum zone_type zone);
void blocks_expect_resource(struct kunit *test, struct fake_range range,
			    const char *name, unsigned long flags);
void blocks_expect_absent(struct kunit *test, struct fake_range range);

struct fake_range blocks_movable_boot(struct kunit *test);
void blocks_need_memmap_on_memory(struct kunit *test, const char *mode);

#endif /* MHP_BLOCKS_H */

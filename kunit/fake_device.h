/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_FAKE_DEVICE_H
#define MHP_FAKE_DEVICE_H

#include <kunit/test.h>
#include <linux/memremap.h>
#include <linux/types.h>

/*
 * Fake device memory: a driver that maps its memory with memremap_pages(), which
 * gives it struct pages in ZONE_DEVICE.  It is unmapped when the case ends.
 */

#define FAKE_DEVICE_MAX_RANGES	3

/**
 * struct fake_device - a driver and its memory
 * @pgmap: what is given to memremap_pages(); to be changed before
 *	   fake_device_map() only
 * @pages_freed: how often the driver got a page back
 */
struct fake_device {
	struct dev_pagemap *pgmap;
	unsigned int pages_freed;
};

struct fake_device *fake_device(struct kunit *test, enum memory_type type, u64 start,
				u64 size);
void fake_device_add_range(struct kunit *test, struct fake_device *device, u64 start,
			   u64 size);
void fake_device_set_altmap(struct fake_device *device, unsigned long reserve,
			    unsigned long free);
int fake_device_map(struct kunit *test, struct fake_device *device);
void fake_device_unmap(struct kunit *test, struct fake_device *device);

u64 fake_device_unit(void);

#endif /* MHP_FAKE_DEVICE_H */

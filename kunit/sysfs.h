/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_SYSFS_H
#define MHP_SYSFS_H

#include <kunit/test.h>
#include <linux/types.h>

/*
 * Files in sysfs, read and written the way user space does it.  No file system
 * needs to be mounted for it.  Paths begin below /sys, and may be printf()
 * formats.
 */

__printf(2, 3) const char *sysfs_read(struct kunit *test, const char *path, ...);
__printf(3, 4) int sysfs_write(struct kunit *test, const char *value,
			       const char *path, ...);
__printf(2, 3) bool sysfs_exists(struct kunit *test, const char *path, ...);

#endif /* MHP_SYSFS_H */

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MHP_USER_FILE_H
#define MHP_USER_FILE_H

#include <kunit/test.h>
#include <linux/types.h>

/*
 * Files that know user space only: they copy to and from a user's buffer, so
 * kernel_read() cannot have them.  The case gets a piece of user memory for it.
 * Nothing needs to be mounted.
 */

ssize_t user_file_read(struct kunit *test, const char *fs, const char *name, loff_t pos,
		       void *buf, size_t size);
ssize_t user_file_write(struct kunit *test, const char *fs, const char *name, const char *text);

#endif /* MHP_USER_FILE_H */

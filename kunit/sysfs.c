// SPDX-License-Identifier: GPL-2.0
/*
 * Files in sysfs; see sysfs.h.
 */

#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "sysfs.h"

static struct file *open_file(struct kunit *test, int flags, const char *path,
			      va_list args, struct vfsmount **mnt)
{
	struct file_system_type *type = get_fs_type("sysfs");
	struct file *file = ERR_PTR(-ENOMEM);
	char *name;

	KUNIT_ASSERT_NOT_NULL(test, type);
	*mnt = kern_mount(type);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, *mnt);

	name = kvasprintf(GFP_KERNEL, path, args);
	if (name)
		file = file_open_root_mnt(*mnt, name, flags, 0);
	kfree(name);
	return file;
}

/* At once, and not by a work item: the mount goes with it. */
static void close_file(struct file *file, struct vfsmount *mnt)
{
	if (!IS_ERR(file))
		__fput_sync(file);
	kern_unmount(mnt);
}

/**
 * sysfs_read() - read a file
 * @test: the running case, which the text belongs to
 * @path: the file, a printf() format for what follows
 *
 * Return: what it says, without the newline at the end, or an error in angle
 * brackets, so that a comparison shows it.
 */
const char *sysfs_read(struct kunit *test, const char *path, ...)
{
	char *text = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct vfsmount *mnt;
	struct file *file;
	loff_t pos = 0;
	va_list args;
	ssize_t len;

	KUNIT_ASSERT_NOT_NULL(test, text);
	va_start(args, path);
	file = open_file(test, O_RDONLY, path, args, &mnt);
	va_end(args);

	len = IS_ERR(file) ? PTR_ERR(file) : kernel_read(file, text, PAGE_SIZE - 1, &pos);
	close_file(file, mnt);
	if (len < 0)
		snprintf(text, PAGE_SIZE, "<error %zd>", len);
	return strim(text);
}

/**
 * sysfs_write() - write a file
 * @test: the running case
 * @value: what to write
 * @path: the file, a printf() format for what follows
 *
 * Return: 0, or what the write failed with.
 */
int sysfs_write(struct kunit *test, const char *value, const char *path, ...)
{
	struct vfsmount *mnt;
	struct file *file;
	loff_t pos = 0;
	va_list args;
	ssize_t len;

	va_start(args, path);
	file = open_file(test, O_WRONLY, path, args, &mnt);
	va_end(args);

	len = IS_ERR(file) ? PTR_ERR(file) :
			     kernel_write(file, value, strlen(value), &pos);
	close_file(file, mnt);
	return len < 0 ? len : 0;
}

/**
 * sysfs_exists() - whether there is such a file or directory
 * @test: the running case
 * @path: the file, a printf() format for what follows
 */
bool sysfs_exists(struct kunit *test, const char *path, ...)
{
	struct vfsmount *mnt;
	struct file *file;
	va_list args;

	va_start(args, path);
	file = open_file(test, O_RDONLY, path, args, &mnt);
	va_end(args);
	close_file(file, mnt);
	return !IS_ERR(file);
}

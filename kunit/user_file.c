// SPDX-License-Identifier: GPL-2.0
/*
 * Files that know user space only; see user_file.h.
 */

#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "user_file.h"

static struct file *open_file(struct kunit *test, const char *fs, const char *name, int flags,
			      struct vfsmount **mnt)
{
	struct file_system_type *type = get_fs_type(fs);

	KUNIT_ASSERT_NOT_NULL_MSG(test, type, "%s", fs);
	*mnt = kern_mount(type);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, *mnt);
	return file_open_root_mnt(*mnt, name, flags, 0);
}

/* At once, and not by a work item: the mount goes with it. */
static void close_file(struct file *file, struct vfsmount *mnt)
{
	if (!IS_ERR(file))
		__fput_sync(file);
	kern_unmount(mnt);
}

/* As much of it as the largest read so far wanted, until the case ends */
static void __user *user_memory(struct kunit *test, size_t size)
{
	unsigned long addr = kunit_vm_mmap(test, NULL, 0, PAGE_ALIGN(size), PROT_READ | PROT_WRITE,
					   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	KUNIT_ASSERT_NE_MSG(test, addr, 0, "no user memory");
	KUNIT_ASSERT_LT_MSG(test, addr, (unsigned long)TASK_SIZE, "no user memory");
	return (void __user *)addr;
}

/**
 * user_file_read() - one read() of a file
 * @test: the running case; it ends here when there is no such file system
 * @fs: the type of the file system, "proc" or "debugfs"
 * @name: the file in it
 * @pos: where to begin; what is counted there, the file knows
 * @buf: what is read
 * @size: bytes, at most
 *
 * Return: bytes read, or -errno.
 */
ssize_t user_file_read(struct kunit *test, const char *fs, const char *name, loff_t pos,
		       void *buf, size_t size)
{
	void __user *user = user_memory(test, size);
	struct vfsmount *mnt;
	struct file *file = open_file(test, fs, name, O_RDONLY, &mnt);
	ssize_t len = IS_ERR(file) ? PTR_ERR(file) : vfs_read(file, user, size, &pos);

	close_file(file, mnt);
	if (len > 0)
		KUNIT_ASSERT_EQ(test, copy_from_user(buf, user, len), 0);
	return len;
}

/**
 * user_file_write() - one write() to a file
 * @test: the running case; it ends here when there is no such file system
 * @fs: the type of the file system, "proc" or "debugfs"
 * @name: the file in it
 * @text: what to write
 *
 * Return: bytes written, or -errno.
 */
ssize_t user_file_write(struct kunit *test, const char *fs, const char *name, const char *text)
{
	size_t size = strlen(text);
	void __user *user = user_memory(test, size);
	struct vfsmount *mnt;
	struct file *file;
	loff_t pos = 0;
	ssize_t len;

	KUNIT_ASSERT_EQ(test, copy_to_user(user, text, size), 0);
	file = open_file(test, fs, name, O_WRONLY, &mnt);
	len = IS_ERR(file) ? PTR_ERR(file) : vfs_write(file, user, size, &pos);
	close_file(file, mnt);
	return len;
}

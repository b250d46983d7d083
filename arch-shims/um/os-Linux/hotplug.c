// SPDX-License-Identifier: GPL-2.0
/*
 * The host's side of memory hotplug: the file that backs physical memory gets
 * room for more, and the host gets its pages back when memory is removed.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/falloc.h>
#include <unistd.h>
#include <hotplug.h>

/**
 * os_grow_file() - make a file at least @size bytes long
 * @fd: the file
 * @size: bytes; a file that is longer already is left alone
 *
 * The file stays sparse: the host spends memory on a page when it is written.
 *
 * Return: 0, or a negative errno of the host.
 */
int os_grow_file(int fd, unsigned long long size)
{
	struct stat64 st;

	if (fstat64(fd, &st) < 0)
		return -errno;
	if ((unsigned long long)st.st_size >= size)
		return 0;
	if (ftruncate64(fd, size) < 0)
		return -errno;
	return 0;
}

#define PROT_ALL	(PROT_READ | PROT_WRITE | PROT_EXEC)

/* A range that os_hide_memory() left mapped, without access. */
struct hidden {
	char *start;
	char *end;
	int fd;
	unsigned long long off;
};

/* More than the sections that a test has at a time; it is scanned at each use. */
static struct hidden hidden[64];
static unsigned int next_hidden;

/*
 * Whoever maps or unmaps takes what overlaps off the list first: true when the
 * range itself was there, as a mapping of the same part of the file.
 */
static int take_hidden(char *addr, unsigned long len, int fd,
		       unsigned long long off)
{
	struct hidden *end = hidden + sizeof(hidden) / sizeof(hidden[0]);
	struct hidden *h;
	int found = 0;

	for (h = hidden; h < end; h++) {
		if (h->start >= addr + len || h->end <= addr)
			continue;
		if (h->start == addr && h->end == addr + len && h->fd == fd &&
		    h->off == off)
			found = 1;
		*h = (struct hidden){ 0 };
	}
	return found;
}

/**
 * os_map_populated() - map a range of a file and fault it in at once
 * @addr: where
 * @fd: the file
 * @off: where in it, in bytes
 * @len: bytes, a whole number of pages
 *
 * For memory that is about to be written as a whole: one call instead of a
 * fault for each page.  What os_hide_memory() left there is shown again.
 *
 * Return: 0, or a negative errno of the host.
 */
int os_map_populated(void *addr, int fd, unsigned long long off,
		     unsigned long len)
{
	if (take_hidden(addr, len, fd, off) && !mprotect(addr, len, PROT_ALL))
		return 0;
	if (mmap64(addr, len, PROT_ALL, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
		   fd, off) == MAP_FAILED)
		return -errno;
	return 0;
}

/**
 * os_hide_memory() - make an access to a mapped range fault, as if unmapped
 * @addr: where it is mapped
 * @fd: the file it is a mapping of
 * @off: where in that file, in bytes
 * @len: bytes, a whole number of pages
 *
 * Half as dear as to unmap it and to map it again when it comes back, which
 * os_map_populated() then need not do.
 *
 * Return: 0, or a negative errno of the host.
 */
int os_hide_memory(void *addr, int fd, unsigned long long off,
		   unsigned long len)
{
	take_hidden(addr, len, fd, off);
	if (mprotect(addr, len, PROT_NONE))
		return munmap(addr, len) ? -errno : 0;
	hidden[next_hidden] = (struct hidden){ addr, (char *)addr + len, fd, off };
	next_hidden = (next_hidden + 1) % (sizeof(hidden) / sizeof(hidden[0]));
	return 0;
}

/**
 * os_release_memory() - unmap memory and give it back to the host
 * @addr: where it is mapped
 * @len: bytes, a whole number of pages
 * @fd: the file that backs it
 * @off: where in that file, in bytes
 * @keep: leave its content in the file; what is mapped again is there at once
 *
 * From here on an access to @addr faults.  os_unmap_memory() and
 * os_drop_memory() do not serve: their int length ends at 2 GiB.
 *
 * Return: 0, or a negative errno of the host.
 */
int os_release_memory(void *addr, unsigned long len, int fd,
		      unsigned long long off, int keep)
{
	if (munmap(addr, len) < 0)
		return -errno;
	if (keep)
		return 0;
	if (fallocate64(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off,
			len) < 0)
		return -errno;
	return 0;
}

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

/*
 * Mappings that os_put_aside() took from their places, each in a slot at the
 * same offset from a multiple of the slot's size, so that the host can move a
 * whole page table at once.  They are good for as long as the file is: what is
 * cut out of it goes from them as well.
 */
#define SLOT_SIZE	(2UL << 20)
/* More than the memory blocks that a test has at a time. */
#define NR_SLOTS	64

struct aside {
	void *addr;
	unsigned long len;
	int fd;
	unsigned long long off;
};

static struct aside asides[NR_SLOTS];
static unsigned int next_slot;
static char *slots;

/* Nobody else may be given addresses of a slot. */
static void *reserve(void *addr, unsigned long len, int flags)
{
	return mmap64(addr, len, PROT_NONE, flags | MAP_PRIVATE | MAP_ANONYMOUS |
		      MAP_NORESERVE, -1, 0);
}

static int reserve_slots(void)
{
	unsigned long start;
	void *found;

	if (slots)
		return 0;
	found = reserve(NULL, (NR_SLOTS + 1) * SLOT_SIZE, 0);
	if (found == MAP_FAILED)
		return -errno;
	start = (unsigned long)found + SLOT_SIZE - 1;
	slots = (char *)(start & ~(SLOT_SIZE - 1));
	return 0;
}

/*
 * Nothing is in a slot any more.  Where the host has no room to reserve its
 * addresses again, all slots are given up: what is left in them is not used.
 */
static void vacate(struct aside *a)
{
	int i;

	if (reserve(a->addr, a->len, MAP_FIXED) == MAP_FAILED) {
		slots = NULL;
		for (i = 0; i < NR_SLOTS; i++)
			asides[i].len = 0;
	}
	a->len = 0;
}

/* Bring a mapping back that was put aside, to @addr; whether there was one. */
static int take_back(void *addr, int fd, unsigned long long off,
		     unsigned long len)
{
	struct aside *a;

	for (a = asides; a < asides + NR_SLOTS; a++)
		if (a->len == len && a->off == off && a->fd == fd)
			break;
	if (a == asides + NR_SLOTS ||
	    mremap(a->addr, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, addr) ==
	    MAP_FAILED)
		return 0;
	vacate(a);
	return 1;
}

/**
 * os_map_populated() - map a range of a file and fault it in at once
 * @addr: where
 * @fd: the file
 * @off: where in it, in bytes
 * @len: bytes, a whole number of pages
 * @aside: it may be one that os_put_aside() keeps
 *
 * For memory that is about to be written as a whole: one call instead of a
 * fault for each page.
 *
 * Return: 0, or a negative errno of the host.
 */
int os_map_populated(void *addr, int fd, unsigned long long off,
		     unsigned long len, int aside)
{
	if (aside && take_back(addr, fd, off, len))
		return 0;
	if (mmap64(addr, len, PROT_ALL, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
		   fd, off) == MAP_FAILED)
		return -errno;
	return 0;
}

/**
 * os_put_aside() - unmap a range, but keep the mapping elsewhere
 * @addr: where it is mapped
 * @fd: the file it is a mapping of
 * @off: where in that file, in bytes
 * @len: bytes, a whole number of pages
 *
 * An access to @addr faults from here on.  os_map_populated() brings the
 * mapping back, to whatever address: to move it takes the host a tenth of
 * what it takes to fault it in.
 *
 * Return: 0, or a negative errno of the host.
 */
int os_put_aside(void *addr, int fd, unsigned long long off,
		 unsigned long len)
{
	unsigned long within = (unsigned long)addr & (SLOT_SIZE - 1);
	struct aside *a = asides + next_slot;
	char *slot;

	if (within + len > SLOT_SIZE)
		return munmap(addr, len) ? -errno : 0;
	if (a->len)
		vacate(a);
	if (reserve_slots())
		return munmap(addr, len) ? -errno : 0;
	slot = slots + next_slot * SLOT_SIZE;
	*a = (struct aside){ slot + within, len, fd, off };
	if (mremap(addr, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, a->addr) ==
	    MAP_FAILED) {
		a->len = 0;
		return munmap(addr, len) ? -errno : 0;
	}
	next_slot = (next_slot + 1) % NR_SLOTS;
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

// SPDX-License-Identifier: GPL-2.0
/*
 * Memory hotplug: host memory enters and leaves the direct map.
 *
 * Physical memory is a file of the host.  Boot memory is its beginning, and
 * physical address N is byte N of it for hot-added memory too, so that one file
 * descriptor serves the direct map, the vmemmap and user processes alike.
 */

#include <linux/init.h>
#include <linux/kasan.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <as-layout.h>
#include <hotplug.h>
#include <kern_util.h>
#include <mem_user.h>
#include <os.h>

/* First byte that the file cannot hold. */
static u64 physmem_limit __ro_after_init;

/*
 * uml_keep_memory: removed memory is unmapped, and the host keeps its pages for
 * the next time.  It is quicker, and memory that comes again holds what it held,
 * as it does on a machine.
 */
static bool keep_memory;
core_param(uml_keep_memory, keep_memory, bool, 0644);

int physmem_is_kept(void)
{
	return keep_memory;
}

/* The core asks before it hot-adds anything; see mhp_get_pluggable_range(). */
struct range arch_get_mappable_range(void)
{
	return (struct range){ .start = 0, .end = physmem_limit - 1 };
}

/*
 * All that can ever be added is given room in the file now; it is sparse, and
 * the host spends memory on a page only when it is written.
 */
static int __init physmem_limit_init(void)
{
	u64 limit = 1ULL << MAX_PHYSMEM_BITS;
	unsigned long long off;
	int err = os_grow_file(phys_mapping(0, &off), limit);

	physmem_limit = err ? __pa(end_iomem) : limit;
	if (err)
		pr_warn("no memory hotplug: the memory file cannot grow to %llu bytes: error %d\n",
			limit, err);
	return 0;
}
early_initcall(physmem_limit_init);

/* What the KASAN shadow says of the range must not outlive the memory. */
static void forget_shadow(u64 start, u64 size)
{
#ifdef CONFIG_KASAN
	kasan_map_memory(kasan_mem_to_shadow(__va(start)),
			 size >> KASAN_SHADOW_SCALE_SHIFT);
#endif
}

static void unmap_physmem(u64 start, u64 size)
{
	unsigned long long off;
	int fd = phys_mapping(start, &off);
	int err;

	forget_shadow(start, size);
	err = os_release_memory(__va(start), size, fd, off, keep_memory);
	WARN(err, "host memory %#llx-%#llx not given back: error %d\n",
	     start, start + size - 1, err);
}

static int map_physmem(u64 start, u64 size)
{
	unsigned long long off;
	int fd = phys_mapping(start, &off);

	if (fd < 0)
		return -ERANGE;
	return os_map_memory(__va(start), fd, off, size, 1, 1, 1);
}

/* Higher memory than before: what was set once at boot has to follow. */
static void update_end_of_memory(u64 end)
{
	unsigned long end_pfn = PFN_UP(end);

	if (end_pfn <= max_pfn)
		return;
	max_pfn = end_pfn;
	max_low_pfn = end_pfn;
	high_memory = __va(end - 1) + 1;
	/* __wrap_free() tells kmalloc()ed memory from libc's by it. */
	high_physmem = (unsigned long)high_memory;
}

/**
 * arch_add_memory() - map host memory and give it a memmap
 * @nid: node it belongs to
 * @start: physical address, bytes, aligned to a sub-section
 * @size: bytes, a whole number of sub-sections
 * @params: where the memmap comes from, and the protection, which has to be
 *	    PAGE_KERNEL: the direct map knows no other
 *
 * Return: 0; -EINVAL for another protection; -ERANGE beyond the direct map;
 * what __add_pages() returns; or a negative errno of the host.
 */
int __ref arch_add_memory(int nid, u64 start, u64 size,
			  struct mhp_params *params)
{
	int err;

	if (pgprot_val(params->pgprot) != pgprot_val(PAGE_KERNEL))
		return -EINVAL;

	err = map_physmem(start, size);
	if (err) {
		pr_err("cannot map host memory for %#llx-%#llx: error %d; see the host's free memory and vm.max_map_count\n",
		       start, start + size - 1, err);
		return err;
	}

	err = __add_pages(nid, PHYS_PFN(start), size >> PAGE_SHIFT, params);
	if (err)
		unmap_physmem(start, size);
	else
		update_end_of_memory(start + size);
	return err;
}

/**
 * arch_remove_memory() - take the memmap and the memory away again
 * @start: physical address, bytes
 * @size: bytes
 * @altmap: what the memmap was allocated from, or %NULL
 * @pgmap: the device page map, or %NULL
 *
 * Afterwards an access to the memory or its memmap faults, and the host has its
 * memory back.
 */
void __ref arch_remove_memory(u64 start, u64 size, struct vmem_altmap *altmap,
			      struct dev_pagemap *pgmap)
{
	__remove_pages(PHYS_PFN(start), size >> PAGE_SHIFT, altmap, pgmap);
	unmap_physmem(start, size);
}

// SPDX-License-Identifier: GPL-2.0
/*
 * The counters of memmap pages.  mm/ keeps them to itself: they are read where
 * everybody reads them, in /proc/vmstat.
 */

#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pid_namespace.h>
#include <linux/string.h>

#include "mhp_checks.h"

/*
 * No file system is mounted when built-in suites run, so proc is mounted for
 * the kernel alone, once.
 */
static struct vfsmount *proc_mount(void)
{
	static struct vfsmount *mnt;
	struct file_system_type *type;

	if (!mnt) {
		type = get_fs_type("proc");
		mnt = type ? kern_mount(type) : ERR_PTR(-ENODEV);
	}
	return mnt;
}

/* The whole of a file in proc; returns how many bytes, 0 on any error. */
static size_t read_proc(const char *name, char *buf, size_t size)
{
	struct vfsmount *mnt = proc_mount();
	struct file *file;
	size_t done = 0;
	loff_t pos = 0;
	ssize_t len;

	if (IS_ERR(mnt))
		return 0;
	file = file_open_root_mnt(mnt, name, O_RDONLY, 0);
	if (IS_ERR(file))
		return 0;
	while (done < size - 1 &&
	       (len = kernel_read(file, buf + done, size - 1 - done, &pos)) > 0)
		done += len;
	buf[done] = '\0';
	fput(file);
	return done;
}

static unsigned long value_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	unsigned long value;

	if (!line || sscanf(line + strlen(name), "%lu", &value) != 1)
		return ULONG_MAX;
	return value;
}

/**
 * mhp_memmap_counters() - the counters of memmap pages
 * @pages: nr_memmap_pages: from the page allocator or an altmap
 * @boot_pages: nr_memmap_boot_pages: from memblock
 *
 * ULONG_MAX for what the kernel does not count.  Opens a file: the caller holds
 * none of mm's locks.
 */
void mhp_memmap_counters(unsigned long *pages, unsigned long *boot_pages)
{
	static char buf[SZ_16K];	/* under the validator's lock */

	read_proc("vmstat", buf, sizeof(buf));
	*pages = value_of(buf, "\nnr_memmap_pages ");
	*boot_pages = value_of(buf, "\nnr_memmap_boot_pages ");
}

/**
 * mhp_expected_memmap() - what the counters have to be
 * @pages: of hot-added sub-sections
 * @boot_pages: of sections that were there at boot
 */
void mhp_expected_memmap(unsigned long *pages, unsigned long *boot_pages)
{
	unsigned long nr;

	*pages = 0;
	*boot_pages = 0;
	for (nr = next_present_section_nr(-1); nr != -1; nr = next_present_section_nr(nr)) {
		struct mem_section *ms = __nr_to_section(nr);

		if (early_section(ms))
			*boot_pages += PFN_UP(MHP_MEMMAP_BYTES(PAGES_PER_SECTION));
		else if (ms->usage)
			*pages += PFN_UP(MHP_MEMMAP_BYTES(PAGES_PER_SUBSECTION *
				bitmap_weight(ms->usage->subsection_map,
					      SUBSECTIONS_PER_SECTION)));
	}
}

/* Whether the number of pages follows from the number of sub-sections */
bool mhp_memmap_is_countable(void)
{
	/* page_ext counts here too. */
	if (IS_ENABLED(CONFIG_PAGE_EXTENSION))
		return false;
	/* So do devices whose memmap is not as large as it looks. */
	if (IS_ENABLED(CONFIG_ARCH_WANT_OPTIMIZE_DAX_VMEMMAP))
		return false;
	/* A page of memmap that several sub-sections share is counted by each. */
	return IS_ALIGNED(MHP_MEMMAP_BYTES(PAGES_PER_SUBSECTION), PAGE_SIZE);
}

/* nr_memmap_pages and nr_memmap_boot_pages against the sections */
void check_memmap_counters(struct mhp_ctx *ctx)
{
	unsigned long want, want_boot;

	if (!mhp_memmap_is_countable())
		return;
	mhp_expected_memmap(&want, &want_boot);
	want += mhp_boot.memmap_extra;
	want_boot += mhp_boot.memmap_boot_extra;
	if (ctx->memmap_pages != want)
		mhp_violation(ctx,
			      "nr_memmap_pages is %ld, the memmap of hot-added memory has %ld pages",
			      ctx->memmap_pages, want);
	if (ctx->memmap_boot_pages != want_boot)
		mhp_violation(ctx,
			      "nr_memmap_boot_pages is %ld, the memmap of boot memory has %ld pages",
			      ctx->memmap_boot_pages, want_boot);
}

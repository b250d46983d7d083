// SPDX-License-Identifier: GPL-2.0
/*
 * What has to come to a bad end: accesses that are fatal, and arguments that
 * mm/ answers with a WARN.
 *
 * Neither can be a case of a suite, since the kernel dies of the one and the
 * other makes the run fail.  With mhp_death=KIND on the kernel command line the
 * kernel does KIND once, before the suites run.  Who boots it checks the log;
 * see scripts/tests/deaths.toml.  A kernel that survives an access says so.
 */

#include <linux/init.h>
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>

#define START	SZ_4G

static char death_kind[24] __initdata;

static int __init death_setup(char *arg)
{
	strscpy(death_kind, arg, sizeof(death_kind));
	return 1;
}
__setup("mhp_death=", death_setup);

/* Read something of a block, remove the block, and read it again. */
static int __init read_removed(unsigned long *address)
{
	int err;

	/* Readable as long as it is there; else the death would prove nothing. */
	pr_info("mhp_death: %s at %px is %#lx\n", death_kind, address,
		READ_ONCE(*address));
	err = remove_memory(START, memory_block_size_bytes());
	if (err)
		return err;
	pr_info("mhp_death: reading %px, expecting to die\n", address);
	pr_err("mhp_death: survived, it is %#lx\n", READ_ONCE(*address));
	return 0;
}

static int __init read_memmap(void)
{
	return read_removed((void *)pfn_to_page(PHYS_PFN(START)));
}

static int __init read_memmap_end(void)
{
	unsigned long end_pfn = PHYS_PFN(START + memory_block_size_bytes());

	return read_removed((void *)pfn_to_page(end_pfn - 1));
}

static int __init read_data(void)
{
	return read_removed(__va(START));
}

static int __init read_data_end(void)
{
	return read_removed(__va(START + memory_block_size_bytes() - sizeof(long)));
}

static int __init call_online_pages(unsigned long pfn, unsigned long nr_pages)
{
	int err;

	mem_hotplug_begin();
	err = online_pages(pfn, nr_pages, &NODE_DATA(0)->node_zones[ZONE_NORMAL], NULL);
	mem_hotplug_done();
	pr_info("mhp_death: %s: error %d\n", death_kind, err);
	return remove_memory(START, memory_block_size_bytes());
}

static int __init online_odd_start(void)
{
	return call_online_pages(PHYS_PFN(START) + 1, PAGES_PER_SECTION - 1);
}

static int __init online_odd_end(void)
{
	return call_online_pages(PHYS_PFN(START), PAGES_PER_SECTION - 1);
}

static int __init online_nothing(void)
{
	return call_online_pages(PHYS_PFN(START), 0);
}

/* Online the block, then ask for a part of it that cannot go offline. */
static int __init call_offline_pages(unsigned long skip, unsigned long nr_pages)
{
	const unsigned long pfn = PHYS_PFN(START);
	struct zone *zone = &NODE_DATA(0)->node_zones[ZONE_MOVABLE];
	int err;

	mem_hotplug_begin();
	err = online_pages(pfn, PAGES_PER_SECTION, zone, NULL);
	if (!err) {
		err = offline_pages(pfn + skip, nr_pages, zone, NULL);
		pr_info("mhp_death: %s: error %d\n", death_kind, err);
		err = offline_pages(pfn, PAGES_PER_SECTION, zone, NULL);
	}
	mem_hotplug_done();
	return err ?: remove_memory(START, memory_block_size_bytes());
}

static int __init offline_odd_start(void)
{
	return call_offline_pages(1, PAGES_PER_SECTION - 1);
}

static int __init offline_odd_end(void)
{
	return call_offline_pages(0, PAGES_PER_SECTION - 1);
}

static int __init offline_nothing(void)
{
	return call_offline_pages(0, 0);
}

static const struct {
	const char *kind;
	int (*run)(void);
} deaths[] __initconst = {
	{ "memmap", read_memmap },
	{ "memmap-end", read_memmap_end },
	{ "data", read_data },
	{ "data-end", read_data_end },
	{ "online-odd-start", online_odd_start },
	{ "online-odd-end", online_odd_end },
	{ "online-nothing", online_nothing },
	{ "offline-odd-start", offline_odd_start },
	{ "offline-odd-end", offline_odd_end },
	{ "offline-nothing", offline_nothing },
};

static int __init death_init(void)
{
	unsigned int i;
	int err;

	if (!death_kind[0])
		return 0;
	for (i = 0; i < ARRAY_SIZE(deaths); i++) {
		if (!strcmp(deaths[i].kind, death_kind))
			break;
	}
	if (i == ARRAY_SIZE(deaths)) {
		pr_err("mhp_death: unknown kind \"%s\"\n", death_kind);
		return -EINVAL;
	}

	err = add_memory(0, START, memory_block_size_bytes(), MHP_NONE);
	err = err ?: deaths[i].run();
	if (err)
		pr_err("mhp_death: %s: add, offline or remove failed: error %d\n",
		       death_kind, err);
	return err;
}
late_initcall(death_init);

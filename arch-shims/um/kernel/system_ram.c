// SPDX-License-Identifier: GPL-2.0
/*
 * Boot memory: how much there is, and its place in the resource tree.
 * walk_system_ram_range() finds it there; without an entry no memory block of
 * boot memory can go offline.
 */

#include <linux/init.h>
#include <linux/ioport.h>
#include <linux/memblock.h>
#include <linux/kernel.h>
#include <as-layout.h>
#include <hotplug.h>
#include <init.h>
#include <mem_user.h>

unsigned long long uml_boot_memory __initdata;

/* kunit.py says mem=1G, behind whatever else it is to say: no mem= comes after it. */
static int __init uml_boot_memory_setup(char *line, int *add)
{
	uml_boot_memory = memparse(line, &line);
	return 0;
}

__uml_setup("uml_boot_memory=", uml_boot_memory_setup,
"uml_boot_memory=<size of boot memory>\n"
"    As mem=, which it overrides wherever that stands.\n\n"
);

static void __init add_resource(const char *name, phys_addr_t start,
				phys_addr_t end, unsigned long flags)
{
	struct resource *res = memblock_alloc(sizeof(*res), SMP_CACHE_BYTES);

	if (!res)
		panic("%s: no memory for %s\n", __func__, name);
	res->name = name;
	res->start = start;
	res->end = end - 1;
	res->flags = flags | IORESOURCE_BUSY;
	if (request_resource(&iomem_resource, res))
		pr_warn("%s: %pR is taken\n", name, res);
}

/**
 * setup_system_ram() - enter boot memory into the resource tree
 *
 * Files given with iomem= lie in the direct map behind boot memory and are
 * entered too, so that nobody adds memory there.
 */
void __init setup_system_ram(void)
{
	phys_addr_t start, end;
	u64 i;

	for_each_mem_range(i, &start, &end)
		add_resource("System RAM", start, end, IORESOURCE_SYSTEM_RAM);

	if (iomem_size)
		add_resource("UML iomem", __pa(high_physmem),
			     __pa(end_iomem) + PAGE_SIZE, IORESOURCE_MEM);
}

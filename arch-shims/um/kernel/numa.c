// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA nodes without NUMA hardware: boot memory is dealt out to as many nodes
 * as the command line asks for, and the rest of the possible nodes stay offline
 * until memory is added to them.
 */

#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <hotplug.h>

static unsigned int boot_nodes __initdata = 1;

static int __init boot_nodes_setup(char *arg)
{
	unsigned int nr;

	if (!arg || kstrtouint(arg, 0, &nr) || !nr || nr > MAX_NUMNODES)
		return -EINVAL;
	boot_nodes = nr;
	return 0;
}
early_param("uml_nodes", boot_nodes_setup);

/**
 * setup_nodes() - divide boot memory among nodes
 *
 * uml_nodes=N makes N nodes of about the same size, on section boundaries.
 * What is left over goes to the last one.  The processor is on node 0.
 */
void __init setup_nodes(void)
{
	const phys_addr_t section = 1UL << SECTION_SIZE_BITS;
	phys_addr_t end = memblock_end_of_DRAM();
	phys_addr_t share = max(ALIGN_DOWN(end / boot_nodes, section), section);
	phys_addr_t start = 0;
	int nid;

	for (nid = 0; nid < boot_nodes && start < end; nid++, start += share) {
		phys_addr_t size = share;

		if (nid == boot_nodes - 1 || start + size > end)
			size = end - start;
		memblock_set_node(start, size, &memblock.memory, nid);
		node_set_online(nid);
		alloc_node_data(nid);
	}
}

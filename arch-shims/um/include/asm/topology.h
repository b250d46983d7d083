/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __UM_TOPOLOGY_H
#define __UM_TOPOLOGY_H

#ifdef CONFIG_NUMA

/* The one processor is on node 0, devices are on none; see kernel/numa.c */
#define early_cpu_to_node(cpu)	((void)(cpu), 0)
#define cpumask_of_node(node)	((node) <= 0 ? cpu_online_mask : cpu_none_mask)
#define pcibus_to_node(bus)	((void)(bus), NUMA_NO_NODE)
#define cpumask_of_pcibus(bus)	((void)(bus), cpu_all_mask)

#endif /* CONFIG_NUMA */

#include <asm-generic/topology.h>

#endif /* __UM_TOPOLOGY_H */

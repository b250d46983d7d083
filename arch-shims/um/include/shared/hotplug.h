/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __UM_HOTPLUG_H
#define __UM_HOTPLUG_H

/* arch/um/kernel/system_ram.c */
void setup_system_ram(void);
/* What uml_boot_memory= says, in bytes; 0 without it. */
extern unsigned long long uml_boot_memory;

#ifdef CONFIG_NUMA
/* arch/um/kernel/numa.c */
void setup_nodes(void);
#else
static inline void setup_nodes(void) { }
#endif

/* arch/um/kernel/memory_hotplug.c: whether uml_keep_memory is set */
int physmem_is_kept(void);

/* The host's side of memory hotplug: arch/um/os-Linux/hotplug.c */
int os_grow_file(int fd, unsigned long long size);
int os_map_populated(void *addr, int fd, unsigned long long off,
		     unsigned long len, int aside);
int os_put_aside(void *addr, int fd, unsigned long long off,
		 unsigned long len);
int os_release_memory(void *addr, unsigned long len, int fd,
		      unsigned long long off, int keep);

#endif /* __UM_HOTPLUG_H */

// SPDX-License-Identifier: GPL-2.0
/*
 * The first program of a guest whose root is the host's, read-only: uses memory
 * hotplug the way an administrator does, through sysfs, and says in KTAP how it
 * went.  Compiled and booted by test_userspace.py.
 *
 * Environment (from the kernel command line):
 *	MHP_SELFTEST	the kernel tree's mem-on-off-test.sh
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY	"/sys/devices/system/memory"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* The file's first line is @text. */
static bool file_says(const char *path, const char *text)
{
	char line[256] = "";
	FILE *file = fopen(path, "r");

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, text))
		return true;
	printf("# %s says \"%s\", not \"%s\"\n", path, line, text);
	return false;
}

static bool set_state(const char *block, const char *state, const char *then)
{
	char path[512];
	int err;

	snprintf(path, sizeof(path), MEMORY "/%s/state", block);
	err = write_file(path, state);
	if (err)
		printf("# %s > %s: %s\n", state, path, strerror(-err));
	return !err && file_says(path, then);
}

/* Some boot blocks hold what cannot move; one has to let itself be offlined. */
static bool boot_block_offline_online(void)
{
	struct dirent *entry;
	DIR *dir = opendir(MEMORY);
	bool ok = false;

	while (dir && !ok && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "memory", 6))
			continue;
		ok = set_state(entry->d_name, "offline", "offline") &&
		     set_state(entry->d_name, "online", "online");
	}
	if (dir)
		closedir(dir);
	return ok;
}

/* Add the block at 4 GiB, use it as movable memory, take it offline again. */
static bool probed_block_online_offline(void)
{
	unsigned long size, index;
	char block[64], line[64] = "";
	FILE *file = fopen(MEMORY "/block_size_bytes", "r");
	int err;

	if (!file || !fgets(line, sizeof(line), file))
		return false;
	fclose(file);
	size = strtoul(line, NULL, 16);
	index = 0x100000000UL / size;
	snprintf(block, sizeof(block), "memory%lu", index);

	err = write_file(MEMORY "/probe", "0x100000000");
	if (err) {
		printf("# probe: %s\n", strerror(-err));
		return false;
	}
	return set_state(block, "online_movable", "online") &&
	       set_state(block, "offline", "offline");
}

/* The kernel's own selftest. */
static bool selftest_passes(void)
{
	const char *script = getenv("MHP_SELFTEST");
	int status;
	pid_t pid;

	if (!script) {
		printf("# MHP_SELFTEST is not set\n");
		return false;
	}
	fflush(stdout);
	pid = fork();
	if (!pid) {
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		execl("/bin/bash", "bash", script, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return false;
	if (status)
		printf("# %s: status %#x\n", script, status);
	return !status;
}

static const struct {
	const char *name;
	bool (*run)(void);
} cases[] = {
	{ "boot_block_offline_online", boot_block_offline_online },
	{ "probed_block_online_offline", probed_block_online_offline },
	{ "selftest_passes", selftest_passes },
};

int main(void)
{
	const unsigned int nr = sizeof(cases) / sizeof(cases[0]);
	unsigned int i;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);

	printf("KTAP version 1\n1..%u\n", nr);
	for (i = 0; i < nr; i++)
		printf("%sok %u userspace.%s\n", cases[i].run() ? "" : "not ",
		       i + 1, cases[i].name);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}

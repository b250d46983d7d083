// SPDX-License-Identifier: GPL-2.0
/*
 * Hands what gcov counted out of a guest that has no user space to read it.
 *
 * It happens when the guest restarts at the end of its run.  One that panics
 * does not come here, and the host finds no data then.  What the host gets:
 *
 *	gcda SIZE PATH\n	for each instrumented object, then SIZE bytes,
 *				which are the content of the file PATH
 *	end OBJECTS\n		without this line, it is not complete
 */

#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/sprintf.h>
#include <linux/vmalloc.h>

#include "../../../kernel/gcov/gcov.h"
#include "gcov_out.h"

static int line_out(const char *fmt, ...)
{
	va_list args;
	char *line;
	int err;

	va_start(args, fmt);
	line = kvasprintf(GFP_KERNEL, fmt, args);
	va_end(args);
	if (!line)
		return -ENOMEM;
	err = gcov_out(line, strlen(line));
	kfree(line);
	return err;
}

static int object_out(struct gcov_info *info)
{
	size_t size = convert_to_gcda(NULL, info);
	void *data = vmalloc(size);
	int err;

	if (!data)
		return -ENOMEM;
	convert_to_gcda(data, info);
	err = line_out("gcda %zu %s\n", size, gcov_info_filename(info));
	if (!err)
		err = gcov_out(data, size);
	vfree(data);
	return err;
}

static int hand_out(struct notifier_block *nb, unsigned long action, void *data)
{
	struct gcov_info *info = NULL;
	unsigned int objects = 0;
	int err = 0;

	mutex_lock(&gcov_lock);
	while (!err && (info = gcov_info_next(info))) {
		err = object_out(info);
		objects++;
	}
	mutex_unlock(&gcov_lock);
	if (!err)
		err = line_out("end %u\n", objects);
	if (err)
		pr_err("mhp_gcov: no way out for gcov's data: error %d\n", err);
	return NOTIFY_DONE;
}

/* Last of all: what other notifiers do counts, too. */
static struct notifier_block at_reboot = {
	.notifier_call = hand_out,
	.priority = INT_MIN,
};

static int __init hand_out_at_reboot(void)
{
	return register_reboot_notifier(&at_reboot);
}
core_initcall(hand_out_at_reboot);

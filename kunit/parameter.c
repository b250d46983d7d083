// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel parameters; see parameter.h.
 */

#include <linux/moduleparam.h>
#include <linux/string.h>

#include "parameter.h"

#define VALUE_LEN	32

struct setting {
	const struct kernel_param *kp;
	char value[VALUE_LEN];		/* of before */
};

static const struct kernel_param *find(const char *name)
{
	const struct kernel_param *kp;

	for (kp = __start___param; kp < __stop___param; kp++) {
		if (parameq(kp->name, name))
			return kp;
	}
	return NULL;
}

static int set(const struct kernel_param *kp, const char *value)
{
	int err;

	kernel_param_lock(NULL);
	err = kp->ops->set(value, kp);
	kernel_param_unlock(NULL);
	return err;
}

static int get(const struct kernel_param *kp, char *value)
{
	char *buffer = (char *)__get_free_page(GFP_KERNEL);
	int len;

	if (!buffer)
		return -ENOMEM;
	kernel_param_lock(NULL);
	len = kp->ops->get(buffer, kp);
	kernel_param_unlock(NULL);
	if (len >= 0)
		len = strscpy(value, strim(buffer), VALUE_LEN);
	free_page((unsigned long)buffer);
	return len;
}

static void put_back(void *arg)
{
	struct setting *s = arg;
	int err = set(s->kp, s->value);

	WARN(err, "%s=%s: error %d\n", s->kp->name, s->value, err);
}

/**
 * parameter_set() - set a kernel parameter for the rest of the case
 * @test: the running case
 * @name: "module.name", or "name"
 * @value: as it is written on the command line
 *
 * It gets its old value after the fixture has cleaned up: what was added under
 * one value of memory_hotplug.memmap_on_memory is not removed under another.
 */
void parameter_set(struct kunit *test, const char *name, const char *value)
{
	struct setting *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->kp = find(name);
	KUNIT_ASSERT_NOT_NULL_MSG(test, s->kp, "there is no parameter %s", name);
	KUNIT_ASSERT_GE(test, get(s->kp, s->value), 0);
	KUNIT_ASSERT_EQ_MSG(test, set(s->kp, value), 0, "%s=%s", name, value);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_back, s), 0);
}

/**
 * parameter_expect_refused() - a value that a kernel parameter does not take
 * @test: the running case
 * @name: "module.name"
 * @value: as it would be written on the command line
 */
void parameter_expect_refused(struct kunit *test, const char *name, const char *value)
{
	const struct kernel_param *kp = find(name);
	char before[VALUE_LEN], after[VALUE_LEN];

	KUNIT_ASSERT_NOT_NULL_MSG(test, kp, "there is no parameter %s", name);
	KUNIT_ASSERT_GE(test, get(kp, before), 0);
	KUNIT_EXPECT_EQ_MSG(test, set(kp, value), -EINVAL, "%s=%s", name, value);
	KUNIT_ASSERT_GE(test, get(kp, after), 0);
	KUNIT_EXPECT_STREQ(test, after, before);
}

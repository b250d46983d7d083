# SPDX-License-Identifier: GPL-2.0
#
# The few commands that a user types. The work is done in scripts/.

ARCH ?= um
export LINUX MHP_BUILD MHP_SOURCES

help:
	@echo 'make run      install what is missing, prepare the kernel, build it, run the suites'
	@echo 'make test     the same set-up, then the tests (scripts/test --list)'
	@echo 'make bench    how long the loop takes, against upstream kunit.py'
	@echo 'make setup    only install what is missing, without QEMU and cross compilers'
	@echo 'make clean    remove builds, logs and reports; the prepared trees stay'
	@echo 'make distclean  remove all of build/; stops when edits would be lost (FORCE=1: not)'
	@echo ''
	@echo '  LINUX=DIR      a kernel tree of yours, which is only read (default: Debian'"'"'s source)'
	@echo '  MHP_BUILD=DIR  where everything is made (default: build/)'
	@echo '  MHP_SOURCES=DIR  where kernel sources are kept (default: build/src/); clones can share it'
	@echo '  ARCH=um        the architecture to run on; x86_64 and powerpc under QEMU'
	@echo ''
	@echo 'See README.md; scripts/kunit.py --help and scripts/series --help for the loop.'

run:
	@scripts/setup run $(filter-out um,$(ARCH))
	@scripts/kunit.py run $(if $(filter-out um,$(ARCH)),--arch=$(ARCH))

# Without QEMU and cross compilers the parts that need them fail, without a browser the tests of pages are skipped;
# the others run.
test:
	@scripts/setup test
	@scripts/setup x86_64 powerpc || true
	@scripts/setup browser || true
	@scripts/test

bench:
	@scripts/setup run
	@scripts/setup x86_64 powerpc || true
	@scripts/bench --scratch

setup:
	@scripts/setup test

clean:
	@scripts/clean

distclean:
	@scripts/clean --all $(if $(filter 1,$(FORCE)),--force)

.PHONY: help run test bench setup clean distclean

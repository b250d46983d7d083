# SPDX-License-Identifier: GPL-2.0
"""scripts/coverage: which lines of the hotplug paths the suites reach, as gcov counts them."""

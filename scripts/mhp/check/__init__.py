# SPDX-License-Identifier: GPL-2.0
"""scripts/check: is a series fit to post? The checks themselves are in scripts/checks/."""

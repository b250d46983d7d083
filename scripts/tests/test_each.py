# SPDX-License-Identifier: GPL-2.0
"""The prefixes of the series: which there are, and what each is made from."""

import pytest

from mhp import each
from mhp.exits import Exit, MhpError
from mhp.state import Link, State

CHAIN = [Link("shims", "0001-shim.patch", "k", "c1"), Link("suites", "kunit", "k", "c2"),
         Link("mm", "mm-patches/v6.12/0001-a.patch", "k", "c3"), Link("mm", "mm-patches/v6.12/0002-b.patch", "k", "c4")]


def test_prefix_ends_with_its_patch() -> None:
    found = each.prefixes(State(base="c0", chain=CHAIN))
    assert [(link, made_from.tip) for link, made_from in found] == [(CHAIN[2], "c3"), (CHAIN[3], "c4")]
    assert [made_from.series for _link, made_from in found] == [False, True]


def test_patch_is_chosen_by_number() -> None:
    (link, made_from), = each.prefixes(State(base="c0", chain=CHAIN), ["0002"])
    assert link.commit == made_from.tip == "c4" and made_from.chain == CHAIN


def test_unknown_patch_is_an_error() -> None:
    with pytest.raises(MhpError, match="0003: no such patch") as caught:
        each.prefixes(State(base="c0", chain=CHAIN), ["0003"])
    assert caught.value.status == Exit.USAGE


def test_no_series_has_no_prefix() -> None:
    assert not each.prefixes(State(base="c0", chain=CHAIN[:2]))

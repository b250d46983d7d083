# SPDX-License-Identifier: GPL-2.0
"""Options asked for against options that came out, and why one vanished."""

from pathlib import Path

import pytest
from small_world import git, write

from mhp import kconfig
from mhp.exits import MhpError
from mhp.git import Git
from mhp.kconfig import Lost

KCONFIG = """\
menu "Memory"
\tdepends on MMU

config SPARSEMEM
\tdef_bool y
\tdepends on A && \\
\t\t(B || !C)

if HOTPLUG
comment "depends on NOTHING"

menuconfig MHP
\tbool "Hotplug"
\tselect MIGRATION
\tdepends on 64BIT
\thelp
\t  depends on help
endif

config MIGRATION
\tbool

endmenu

config LATER
\tint "Later"
"""


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Git:
    write(tmp_path, {"mm/Kconfig": KCONFIG, "arch/arm/Kconfig": 'config MHP\n\tbool "Arm"\n\tdepends on ARM\n',
                     "arch/um/Kconfig": "config UML\n\tdef_bool y\n\tselect TTY\n", "drivers/tty/Kconfig":
                     'config TTY\n\tbool "TTY"\n'})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "base")
    return Git(tmp_path / ".git", worktree=tmp_path)


def why(tree: Git, name: str, asked: str = "y", **got: str) -> tuple[str, ...]:
    lost = kconfig.lost({name: asked}, got)
    return kconfig.explain(lost, tree, "um", got)[0].why


def test_lines_are_read() -> None:
    assert kconfig.parse(["# a comment", "CONFIG_A=y", '  CONFIG_B="a b"  ', "# CONFIG_C is not set", "CONFIG_A=n"]) == {
        "A": "n", "B": '"a b"', "C": "n"}


def test_what_is_lost() -> None:
    asked = {"A": "y", "B": "n", "C": "27", "D": "y", "E": "n"}
    assert kconfig.lost(asked, {"A": "y", "C": "26", "E": "y"}) == [
        Lost("C", "27", "26"), Lost("D", "y", "n"), Lost("E", "n", "y")]


def test_dependencies_are_shown_with_values(tree: Git) -> None:
    assert why(tree, "MHP", MMU="y", HOTPLUG="y") == (
        "mm/Kconfig:12: depends on MMU   (MMU=y)", "mm/Kconfig:12: depends on HOTPLUG   (HOTPLUG=y)",
        "mm/Kconfig:12: depends on 64BIT   (64BIT=n)")


def test_continued_lines_are_joined_and_a_missing_prompt_is_said(tree: Git) -> None:
    assert why(tree, "SPARSEMEM", A="y")[0].endswith("it has no prompt: only another option can select it")
    assert why(tree, "SPARSEMEM", A="y")[2] == "mm/Kconfig:4: depends on A && (B || !C)   (A=y, B=n, C=n)"


def test_blocks_end(tree: Git) -> None:
    assert why(tree, "LATER", "3") == ()
    assert [line for line in why(tree, "MIGRATION") if "HOTPLUG" in line] == []


def test_unknown_option_is_said(tree: Git) -> None:
    assert "misspelt" in why(tree, "NO_SUCH_OPTION")[0]


def test_selector_is_named(tree: Git) -> None:
    assert why(tree, "TTY", "n", TTY="y", UML="y") == ("arch/um/Kconfig:3: CONFIG_UML=y selects it",)
    assert "nothing that is set selects it" in why(tree, "TTY", "n", TTY="y")[0]


def test_message_is_for_people() -> None:
    assert str(Lost("A", "n", "y", ("because",))) == "CONFIG_A: asked for not set, came out y\n    because"


def test_fragment_as_single_options(tmp_path: Path) -> None:
    write(tmp_path, {"x.config": "# Text\nCONFIG_A=y\n\n# CONFIG_B is not set\n"})
    assert kconfig.fragment_lines(tmp_path / "x.config") == ["CONFIG_A=y", "# CONFIG_B is not set"]
    with pytest.raises(MhpError, match="No such file"):
        kconfig.read(tmp_path / "none")

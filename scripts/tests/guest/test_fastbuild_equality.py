# SPDX-License-Identifier: GPL-2.0
"""After each kind of edit our build has what a full make gives, byte for byte, in a build directory of its own.

That make begins from nothing, and is kbuild's alone: no file of ours has a say in what it makes. The edits stay, one
on top of the other; in the end they are undone. The first of them takes the last patches of the series back.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_fastbuild import KUNIT, Loop, products, written
from test_guard import mentioning

from mhp import compiler, upstream
from mhp.builddir import BuildDir
from mhp.git import Git
from mhp.lock import locked
from mhp.tree import PreparedTree, prepare

_LONG_AGO = 946684800  # the year 2000
_DAY = 86400
_PATCHES = 5  # of the series; those before them change headers that all objects include, and take minutes


class Full:
    """build/ID/um-make, which nothing but make builds."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.build = loop.build.with_name("um-make")
        shutil.rmtree(self.build, ignore_errors=True)
        self.build.mkdir()

    def make(self) -> dict[str, str]:
        """A full make of the tree as it is, and what came of it."""
        shutil.copy(self.loop.build / "last_used_kunitconfig", self.build / ".config")
        options = compiler.make_options([], "", os.path.relpath(self.loop.tree, self.build))
        for goals in (["olddefconfig"], [f"-j{len(os.sched_getaffinity(0))}", "all", "compile_commands.json"]):
            done = subprocess.run(["make", "-s", "ARCH=um", f"O={self.build}", *options, *goals], check=False,
                                  cwd=self.loop.tree, env=upstream.environment(), text=True, timeout=900,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            assert done.returncode == 0, done.stdout
        return products(self.build)


class Both:
    """Our build directory and make's, and the files of the tree that a test changes."""

    def __init__(self, tree: PreparedTree) -> None:
        self.loop = Loop(tree)
        self.tree = self.loop.tree
        self.touched: dict[str, bytes | None] = {}
        self.full = Full(self.loop)
        self.loop.run()
        self.start = self.made = self.loop.products()

    def write(self, name: str, text: str, when: float | None = None) -> None:
        """Give a file a content, and an old time when one is given."""
        path = self.tree / name
        self.touched.setdefault(name, path.read_bytes() if path.exists() else None)
        path.write_text(text, encoding="utf-8")
        if when is not None:
            os.utime(path, (when, when))

    def replace(self, name: str, old: str, new: str, when: float | None = None) -> None:
        """Replace a text that is there."""
        text = (self.tree / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1), when)

    def append(self, name: str, text: str, when: float | None = None) -> None:
        """Add to the end of a file."""
        self.write(name, (self.tree / name).read_text(encoding="utf-8") + text, when)

    def remove(self, name: str) -> None:
        """Remove a source. make would leave the object of the time before, which one that begins from nothing has not."""
        (self.tree / name).unlink()
        made = (self.full.build / name).with_suffix(".o")
        for path in (made, made.with_name(f".{made.name}.cmd")):
            path.unlink()

    def undo(self) -> None:
        """All files as they were, with a time long ago."""
        for name, data in self.touched.items():
            if data is None:
                (self.tree / name).unlink(missing_ok=True)
            else:
                (self.tree / name).write_bytes(data)
                os.utime(self.tree / name, (_LONG_AGO, _LONG_AGO))
        self.touched = {}

    def run(self) -> tuple[str, set[str]]:
        """Build ours: what it printed, and the objects that differ from those before."""
        before = self.made
        printed = self.loop.run()
        self.made = self.loop.products()
        return printed, {name for name in self.made if name.endswith(".o") and self.made[name] != before.get(name)}

    def compare(self) -> None:
        """A full make has the same. What one of several edits left wrong is still there to be seen."""
        for name in self.touched:  # make goes by times: let it see what has changed
            if (self.tree / name).exists():
                os.utime(self.tree / name)
        theirs = self.full.make()
        # What ours has besides is of files that are gone.
        assert len(theirs) > 1000 and not {name for name in theirs if self.made.get(name) != theirs[name]}


@pytest.fixture(name="both", scope="module")
def fixture_both() -> Iterator[Both]:
    kdir = os.environ.get("LINUX")
    tree = prepare(Path(kdir) if kdir else None, True)
    with locked(tree.build / "um-make"):
        both = Both(tree)
        try:
            yield both
        finally:
            both.undo()
            shutil.rmtree(both.full.build, ignore_errors=True)


def _fast(printed: str) -> bool:
    assert "building first: " in printed
    return "compiling " in printed and "for make to build" not in printed


def test_last_patches_are_taken_back(both: Both) -> None:
    git = Git(both.tree / ".git", worktree=both.tree)
    # What is of other architectures alone is for make to build, and stays so: none of the later edits would be fast.
    for name in git.names("diff", "-z", "--name-only", "--diff-filter=M", f"HEAD~{_PATCHES}", "HEAD", "--", "mm/*.c"):
        both.write(name, git.check("show", f"HEAD~{_PATCHES}:{name}").stdout.decode(), _LONG_AGO)
    _printed, changed = both.run()
    assert "mm/memory_hotplug.o" in changed
    both.compare()


def test_source_widely_included_header_and_inline_are_edited(both: Both) -> None:
    both.append("mm/memory_hotplug.c", "\nint mhp_edited(void);\nint mhp_edited(void) { return 1; }\n")
    printed, changed = both.run()
    assert _fast(printed) and "mm/memory_hotplug.o" in changed
    both.replace("include/linux/rmap.h", "#endif\t/* _LINUX_RMAP_H */",
                 "static const int __used mhp_edited_header = 1;\n#endif\n")
    printed, changed = both.run()
    assert _fast(printed) and len(changed) > 50
    both.replace("include/linux/page-isolation.h", "\treturn migratetype == MIGRATE_ISOLATE;",
                 "\tbarrier();\n\treturn migratetype == MIGRATE_ISOLATE;")
    printed, changed = both.run()
    assert _fast(printed) and "mm/page_alloc.o" in changed
    both.compare()


def test_kconfig_default_flag_and_new_file(both: Both) -> None:
    both.replace("mm/Kconfig", "\tdefault 0 if PREEMPT_RT\n\tdefault 1\n", "\tdefault 0\n", _LONG_AGO)
    printed, changed = both.run()
    assert not _fast(printed) and "mm/compaction.o" in changed
    both.append("mm/Makefile", "\nCFLAGS_sparse.o += -O1\n", _LONG_AGO)
    printed, changed = both.run()
    assert not _fast(printed) and "mm/sparse.o" in changed
    # Of another content each time: what an earlier test made of it may still lie there.
    both.write("mm/mhp_new.c", f"int mhp_new(void);\nint mhp_new(void) {{ return {time.time_ns() % 10**9}; }}\n", _LONG_AGO)
    both.append("mm/Makefile", "\nobj-y += mhp_new.o\n", _LONG_AGO)
    printed, changed = both.run()
    assert not _fast(printed) and "mm/mhp_new.o" in changed
    both.compare()


def test_file_is_deleted_and_make_is_killed(both: Both) -> None:
    """It is killed once it has compiled the first object; then there is another edit, with a time before that."""
    both.remove("mm/mhp_new.c")
    both.replace("mm/Makefile", "\nobj-y += mhp_new.o\n", "", _LONG_AGO)
    printed, changed = both.run()
    assert not _fast(printed) and "vmlinux.o" in changed
    both.append("mm/Makefile", "\nCFLAGS_page_alloc.o += -O1\n")
    both.append("mm/page_alloc.c", "\nint mhp_killed(void);\nint mhp_killed(void) { return 1; }\n")
    compiled = both.loop.build / "mm/page_alloc.o"
    with subprocess.Popen([KUNIT, "run", "mhp_section*"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        end, before = time.monotonic() + 120, written(compiled)
        while written(compiled) in (0, before):
            assert time.monotonic() < end and run.poll() is None, "it compiled nothing"
            time.sleep(0.002)
        run.send_signal(signal.SIGKILL)
    while mentioning(f"O={both.loop.build}"):  # what it had started ends a moment later
        time.sleep(0.01)
    both.replace("mm/page_alloc.c", "mhp_killed(void) { return 1; }", "mhp_killed(void) { return 2; }", _LONG_AGO)
    _printed, changed = both.run()
    assert "mm/page_alloc.o" in changed
    both.compare()


def test_clock_was_a_day_ahead(both: Both) -> None:
    """What is built is newer than any edit of today; once for a build without make, once for make."""
    for name, text, fast in (("mm/migrate.c", "\nint mhp_late(void);\nint mhp_late(void) { return 1; }\n", True),
                             ("mm/Makefile", "\nCFLAGS_migrate.o += -O1\n", False)):
        late = time.time() + _DAY
        kernel = BuildDir(both.loop.build).kernel("um")  # by its time our build knows that no other made it
        for path in both.loop.build.rglob("*"):
            if path.is_file() and not path.is_symlink() and not path.samefile(kernel):
                # A record stays newer than its target, as it is when a build ends.
                when = late + (path.name.endswith(".cmd"))
                os.utime(path, (when, when))
        both.append(name, text)
        printed, changed = both.run()
        assert _fast(printed) == fast and {"mm/migrate.o", "vmlinux.o"} <= changed
    both.compare()


def test_all_is_undone(both: Both) -> None:
    both.undo()
    both.run()
    assert not {name for name in both.start if both.made.get(name) != both.start[name]}

# SPDX-License-Identifier: GPL-2.0
"""A build without make gives what make gives: the same objects and records, and make finds nothing to do.

test_fastbuild_equality.py has many kinds of edits, and a make of its own beside it.
"""

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mhp import fastbuild, paths
from mhp.builddir import BuildDir
from mhp.exits import Exit
from mhp.kbuild import Records
from mhp.tree import PreparedTree, prepare

KUNIT = paths.SCRIPTS / "kunit.py"
_GLOB = "mhp_section*"  # the guest is not what is tested
# Objects of mm/, of drivers/, of an archive with an index; a header that some objects include; and what the
# architecture alone has.
_EDITS = {"mm/memory_hotplug.c": "\nint mhp_edited_here(void);\nint mhp_edited_here(void) { return %d; }\n",
          "drivers/base/memory.c": "\nint mhp_edited_there(void);\nint mhp_edited_there(void) { return %d; }\n",
          "lib/string.c": "\nint mhp_edited_lib(void);\nint mhp_edited_lib(void) { return %d; }\n",
          "include/linux/page-isolation.h": "\nstatic const int __used mhp_edited_header = %d;\n"}
_OF_ARCH = {"arch/x86/mm/init_64.c": "\nint mhp_edited_x86(void);\nint mhp_edited_x86(void) { return %d; }\n",
            "arch/powerpc/mm/init_64.c": "\nint mhp_edited_ppc(void);\nint mhp_edited_ppc(void) { return %d; }\n"}
# Build directory, the words that ask for it, and where in _OF_ARCH its own edit is.
_BUILDS = {"um": ([], None), "um-gcov": (["--config=gcov"], None), "x86_64": (["--arch=x86_64"], "arch/x86/mm/init_64.c"),
           "powerpc": (["--arch=powerpc"], "arch/powerpc/mm/init_64.c")}
# Each link has another time in it.
_OTHER_EACH_TIME = ("init/version-timestamp.o",)
# powerpc's step after the link writes its record over that of the link: each make links once more.
_LINKS_AGAIN = "powerpc"
_RECORD_OF_LINK = ".vmlinux.cmd"
# Made of the linked kernel, when a boot takes a compressed one: BuildDir.stale_image() sees to that.
_OF_THE_KERNEL = "arch/x86/boot"


class Loop:
    """The prepared tree, its build directory, and running on them."""

    def __init__(self, tree: PreparedTree, name: str = "um") -> None:
        self.words, own = _BUILDS[name]
        self.of_link = {_RECORD_OF_LINK, *_OTHER_EACH_TIME} if name == _LINKS_AGAIN else set()
        self.tree = tree.path
        self.build = tree.build / name
        self.edits = {**_EDITS, **({own: _OF_ARCH[own]} if own else {})}
        self.texts = {name: (self.tree / name).read_text(encoding="utf-8") for name in self.edits}

    def run(self, status: Exit = Exit.PASS) -> str:
        """scripts/kunit.py run: what it printed."""
        done = subprocess.run([KUNIT, "run", *self.words, _GLOB], check=False, timeout=900, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == status, done.stdout
        return done.stdout

    def make(self) -> str:
        """A make of all: what it printed."""
        done = subprocess.run([KUNIT, "build", *self.words], check=False, timeout=900, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == Exit.PASS, done.stdout
        return done.stdout

    def edit(self) -> None:
        """A new edit in each of the files."""
        for name, text in self.edits.items():
            (self.tree / name).write_text(self.texts[name] + text % (time.time_ns() % 10**6), encoding="utf-8")

    def undo(self, when: float | None = None) -> None:
        """The files as they were; with an old time when one is given."""
        for name, text in self.texts.items():
            (self.tree / name).write_text(text, encoding="utf-8")
            if when is not None:
                os.utime(self.tree / name, (when, when))

    def products(self) -> dict[str, str]:
        """The hashes of all that a build made for the kernel and that is the same each time."""
        return {name: made for name, made in products(self.build).items() if name not in self.of_link}

    def times(self) -> dict[str, int]:
        """When each object and archive was written, by its path in the build directory."""
        found = {str(path.relative_to(self.build)): path.stat().st_mtime_ns
                 for pattern in ("*.o", "*.a") for path in self.build.rglob(pattern)}
        return {name: when for name, when in found.items()
                if name not in self.of_link and not name.startswith(_OF_THE_KERNEL)}


def products(build: Path) -> dict[str, str]:
    """The hashes of all that is the same whenever and wherever below build/ID/ it is built."""
    found = {}
    for pattern in ("*.o", "*.a", ".*.cmd", "*.lds", "System.map", "modules.builtin*", "compile_commands.json"):
        for path in build.rglob(pattern):
            name = str(path.relative_to(build))
            if name not in _OTHER_EACH_TIME and not path.name.startswith(".tmp_") and not name.startswith(
                    ("scripts/gdb", _OF_THE_KERNEL)):
                text = path.read_bytes().replace(os.fsencode(build), b"BUILD")
                found[name] = hashlib.sha256(text).hexdigest()
    return found


def written(path: Path) -> int:
    """When a file was written, in nanoseconds; 0 while it is not there."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _tree() -> PreparedTree:
    kdir = os.environ.get("LINUX")
    return prepare(Path(kdir) if kdir else None)


@pytest.fixture(name="loop", scope="module")
def fixture_loop() -> Iterator[Loop]:
    loop = Loop(_tree())
    loop.run()
    try:
        yield loop
    finally:
        loop.undo()


@pytest.fixture(name="each")
def fixture_each(request: pytest.FixtureRequest) -> Iterator[Loop]:
    """The loop of each build; of those that take minutes from nothing, only where they are there."""
    loop = Loop(_tree(), request.param)
    if request.param != "um" and not BuildDir(loop.build).stamp.exists():
        pytest.skip(f"{loop.build} is not built: `scripts/kunit.py run {' '.join(loop.words)}` does it")
    loop.run()
    # Edits that were taken back left the same files with later times: make, which goes by times, builds what is there
    # already.
    loop.make()
    try:
        yield loop
    finally:
        loop.undo()


@pytest.mark.parametrize("each", _BUILDS, indirect=True)
def test_edits_give_what_make_gives(each: Loop) -> None:
    before = each.products()
    each.edit()
    printed = each.run()
    assert "compiling " in printed and "and linking" in printed and "for make to build" not in printed
    fast, when = each.products(), each.times()
    for name in each.edits:
        if name.endswith(".c"):
            assert fast[f"{name[:-2]}.o"] != before[f"{name[:-2]}.o"]
    each.make()
    assert each.products() == fast and each.times() == when, "make found work left"
    changed = [name for name in fast if name.endswith(".o") and fast[name] != before[name] and name != "vmlinux.o"]
    assert len(changed) > 3
    for name in changed:
        (each.build / name).unlink()
    each.make()
    assert each.products() == fast
    each.undo(when=946684800)  # in the year 2000
    assert "nothing has changed" not in each.run()
    assert each.products() == before


def test_broken_then_killed_then_mended(loop: Loop) -> None:
    before = loop.products()
    path = loop.tree / "mm/memory_hotplug.c"
    path.write_text(loop.texts["mm/memory_hotplug.c"] + "\nint broken(\n", encoding="utf-8")
    assert "mm/memory_hotplug.c" in loop.run(Exit.BUILD_FAILED).partition("does not build")[2]
    path.write_text(loop.texts["mm/memory_hotplug.c"] + "\nint mhp_killed;\n", encoding="utf-8")
    objects = loop.build / "mm/memory_hotplug.o"
    started = written(objects)
    with subprocess.Popen([KUNIT, "run", _GLOB], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while written(objects) in (0, started):
            assert time.monotonic() < end and process.poll() is None, "it compiled nothing"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    loop.undo(when=946684800)
    assert "nothing has changed" not in loop.run()
    assert loop.products() == before


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.parametrize(("name", "change"), [
    ("mm/Kconfig", lambda path: _append(path, "\nconfig MHP_TEST_OPTION\n\tdef_bool y\n")),
    ("mm/Makefile", lambda path: _append(path, "\nCFLAGS_sparse.o += -DMHP_TEST_FLAG\n")),
    ("mm/new_file.c", lambda path: path.write_text("int mhp_new;\n", encoding="utf-8")),
    ("mm/mincore.c", Path.unlink),
    ("kernel/bounds.c", lambda path: _append(path, "/* edited */\n")),
    ("include/asm-generic/vmlinux.lds.h", lambda path: _append(path, "/* edited */\n")),
    ("include/linux/mm_types.h", lambda path: _append(path, "/* edited */\n")),
    ("scripts/link-vmlinux.sh", lambda path: _append(path, "# edited\n")),
    ("scripts/kallsyms.c", lambda path: _append(path, "/* edited */\n"))])
def test_other_than_known_sources_is_for_make(loop: Loop, name: str, change: Callable[[Path], None]) -> None:
    path = loop.tree / name
    text = path.read_bytes() if path.exists() else None
    when = path.stat().st_mtime_ns if path.exists() else 0
    try:
        change(path)
        with pytest.raises(fastbuild.NotFast):
            fastbuild.objects_of(Records(loop.build, loop.tree), loop.tree, [name])
    finally:
        if text is None:
            path.unlink()
        else:
            path.write_bytes(text)
            os.utime(path, ns=(when, when))

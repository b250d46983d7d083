# SPDX-License-Identifier: GPL-2.0
"""Builds by kbuild's records, on a toy of two objects; guest/test_fastbuild.py has the real kernel."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mhp import building, fastbuild
from mhp.builddir import BuildDir
from mhp.fastbuild import NotFast
from mhp.kbuild import Record, Records

# What scripts/basic/fixdep does, as far as it matters here: depfile, target, command.
_FIXDEP = """#!/bin/sh
set -- "$1" "$2" "$3" $(sed -e 's/^[^:]*://' -e 's/\\\\\\\\$//' "$1")
printf 'savedcmd_%s := %s\\n\\nsource_%s := %s\\n\\ndeps_%s := \\\\\\n' "$2" "$3" "$2" "$4" "$2"
target=$2; shift 4; for dep; do printf '  %s \\\\\\n' "$dep"; done
printf '\\n%s: $(deps_%s)\\n\\n$(deps_%s):\\n' "$target" "$target" "$target"
"""
_LINK = fastbuild.Link((), False, "linux")


class Toy:
    """A source tree and a build directory, built."""

    def __init__(self, top: Path) -> None:
        self.src, self.obj = top / "linux", top / "um"
        for path, text in {"mm/a.c": '#include "a.h"\nint a(void) { return A; }\n', "mm/a.h": "#define A 1\n",
                           "mm/b.c": "int a(void);\nint main(void) { return a() - 1; }\n", "mm/Kconfig": ""}.items():
            (self.src / path).parent.mkdir(parents=True, exist_ok=True)
            (self.src / path).write_text(text, encoding="utf-8")
        fixdep = self.obj / "scripts/basic/fixdep"
        fixdep.parent.mkdir(parents=True)
        fixdep.write_text(_FIXDEP, encoding="ascii")
        fixdep.chmod(0o755)
        (self.obj / "mm").mkdir()
        for name in "ab":
            target, source = f"mm/{name}.o", f"linux/mm/{name}"
            self.saved(target, f"gcc -Wp,-MMD,mm/.{name}.o.d -DMONEY='\"$$(pound)\"' -c -o {target} {top}/{source}.c",
                       f"\nsource_{target} := ../{source}.c\ndeps_{target} := \\\n  ../{source}.h \\\n")
        self.saved("mm/built-in.a", 'rm -f mm/built-in.a;  printf "mm/%s " a.o b.o | xargs ar cDPrST mm/built-in.a')
        self.saved("built-in.a", 'rm -f built-in.a;  printf "./%s " mm/built-in.a | xargs ar cDPrST built-in.a')
        self.saved("vmlinux.a", "rm -f vmlinux.a; ar cDPrST vmlinux.a ./built-in.a")
        linker = self.src / "scripts/link-vmlinux.sh"
        linker.parent.mkdir()
        linker.write_text("gcc -o vmlinux -Wl,--whole-archive vmlinux.a -Wl,--no-whole-archive; echo noise", encoding="ascii")
        self.saved_link = f"sh {linker} ld"
        self.saved("vmlinux", f"{self.saved_link}; true")
        besides = {"vmlinux.o": "vmlinux.a", "vmlinux.symvers": "vmlinux.o", "modules.builtin.modinfo": "vmlinux.o",
                   "modules.builtin": "modules.builtin.modinfo"}
        for target, source in besides.items():
            self.saved(target, f"cat {source} >{target}")
        (self.obj / "built-in.a").touch()
        done = self.build(["mm/a.c", "mm/b.c"])
        assert done.returncode == 0, done.stderr

    def saved(self, target: str, command: str, more: str = "") -> None:
        """Write a record."""
        path = self.obj / target
        path.with_name(f".{path.name}.cmd").write_text(f"savedcmd_{target} := {command}\n{more}", encoding="utf-8")

    def build(self, edited: list[str], link: fastbuild.Link = _LINK) -> "subprocess.CompletedProcess[str]":
        """Build what these files call for."""
        records = Records(self.obj, self.src)
        made = fastbuild.plan(records, fastbuild.objects_of(records, self.src, edited), link)
        argv, env = fastbuild.write(BuildDir(self.obj), made, {"PATH": "/usr/bin:/bin"}, 2)
        return subprocess.run(argv, env=env, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def runs(self) -> int:
        """The exit status of what was built."""
        return subprocess.run([self.obj / "linux"], check=False).returncode


@pytest.fixture(name="toy")
def fixture_toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def test_edited_header_reaches_the_kernel(toy: Toy) -> None:
    assert toy.runs() == 0
    untouched = (toy.obj / "mm/b.o").stat().st_mtime_ns
    (toy.src / "mm/a.h").write_text("#define A 7\n", encoding="utf-8")
    done = toy.build(["mm/a.h"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert toy.runs() == 6 and (toy.obj / "mm/b.o").stat().st_mtime_ns == untouched
    assert (toy.obj / "vmlinux").stat().st_mtime_ns > (toy.obj / "vmlinux.o").stat().st_mtime_ns
    for record in toy.obj.rglob(".*.cmd"):
        target = record.with_name(record.name[1:-4])
        assert not target.exists() or record.stat().st_mtime_ns >= target.stat().st_mtime_ns, target
    assert BuildDir(toy.obj)._remove_unfinished() == 0  # pylint: disable=protected-access


def test_record_is_written_as_it_was(toy: Toy) -> None:
    record = toy.obj / "mm/.a.o.cmd"
    before = record.read_bytes()
    assert b"-DMONEY='\"$$(pound)\"'" in before
    assert toy.build(["mm/a.c"]).returncode == 0
    assert record.read_bytes() == before


def test_compile_error_stops_with_the_compilers_words(toy: Toy) -> None:
    (toy.src / "mm/a.c").write_text("int a(void) { return }\n", encoding="utf-8")
    done = toy.build(["mm/a.c"])
    assert done.returncode and "error: expected expression" in done.stderr
    assert toy.runs() == 0, "the old kernel is left"


@pytest.mark.parametrize(("name", "why"), [("mm/Kconfig", "not known to be part"), ("mm/gone.c", "no file any more")])
def test_unknown_files_are_not_fast(toy: Toy, name: str, why: str) -> None:
    with pytest.raises(NotFast, match=why):
        toy.build([name])


def test_documents_are_nobodys_source(toy: Toy) -> None:
    records = Records(toy.obj, toy.src)
    names = ["Documentation/mm/memory-hotplug.rst", "Documentation/a.txt", "Documentation/gone.rst"]
    assert fastbuild.objects_of(records, toy.src, names) == set()
    assert fastbuild.objects_of(records, toy.src, [*names, "mm/a.c"]) == {"mm/a.o"}
    for name in ("Documentation/Kconfig", "Documentation/Makefile", "mm/a.rst", "Documentation/a.c"):
        with pytest.raises(NotFast):
            fastbuild.objects_of(records, toy.src, [name])


def test_source_of_more_than_objects_is_not_fast(toy: Toy) -> None:
    (toy.obj / "include/generated").mkdir(parents=True)
    toy.saved("include/generated/a.s", f"gcc -S {toy.src}/mm/a.c")
    with pytest.raises(NotFast, match="mm/a.c is also used for include/generated/a.s"):
        toy.build(["mm/a.c"])


def test_object_that_is_linked_elsewhere_is_not_fast(toy: Toy) -> None:
    toy.saved("vdso.so", "gcc -shared -o vdso.so mm/a.o")
    with pytest.raises(NotFast, match="mm/a.o is also used for vdso.so"):
        toy.build(["mm/a.c"])
    toy.saved("vdso.so", "true")
    toy.saved("mm/built-in.a", 'rm -f mm/built-in.a;  printf "mm/%s " b.o | xargs ar cDPrST mm/built-in.a')
    with pytest.raises(NotFast, match="mm/a.o is not simply linked into the kernel"):
        toy.build(["mm/a.c"])


def test_archive_that_lacks_another_object_is_not_fast(toy: Toy) -> None:
    (toy.obj / "mm/b.o").unlink()
    with pytest.raises(NotFast, match="mm/b.o is not there, which mm/built-in.a is made of"):
        toy.build(["mm/a.c"])
    assert toy.build(["mm/b.c"]).returncode == 0


def test_record_is_replaced_as_a_whole(toy: Toy) -> None:
    record, fixdep = toy.obj / "mm/.a.o.cmd", toy.obj / "scripts/basic/fixdep"
    before = record.read_bytes()
    fixdep.write_text("#!/bin/sh\necho half\nexit 1\n", encoding="ascii")
    assert toy.build(["mm/a.c"]).returncode
    assert record.read_bytes() == before
    fixdep.write_text(_FIXDEP, encoding="ascii")
    assert toy.build(["mm/a.c"]).returncode == 0
    assert record.read_bytes() == before and not list(toy.obj.rglob("*.half"))


def test_step_after_the_link_does_not_take_its_place(toy: Toy) -> None:
    link = toy.saved_link
    toy.saved("vmlinux", "echo checked >>log")
    (toy.src / "mm/a.h").write_text("#define A 7\n", encoding="utf-8")
    with pytest.raises(NotFast, match="a step after its link"):
        toy.build(["mm/a.h"])
    done = toy.build(["mm/a.h"], replace(_LINK, command=link))
    assert (done.returncode, done.stderr, toy.runs()) == (0, "", 6)
    assert (toy.obj / "log").read_text(encoding="ascii") == "checked\n"


def test_link_is_known_by_kbuilds_makefile(toy: Toy) -> None:
    assert not fastbuild.link_command(toy.src)
    makefile = toy.src / "scripts/Makefile.vmlinux"
    makefile.write_text('cmd = $< "$(LD)" "$(KBUILD_LDFLAGS)" "$(LDFLAGS_vmlinux)";\n', encoding="ascii")
    assert fastbuild.link_command(toy.src).endswith('/scripts/link-vmlinux.sh "$LD" "$KBUILD_LDFLAGS" "$LDFLAGS_vmlinux"')
    makefile.write_text('cmd = $< "$(LD)" "$(KBUILD_LDFLAGS)" "$(LDFLAGS_vmlinux)" "$@";\n', encoding="ascii")
    assert not fastbuild.link_command(toy.src)


def test_names_are_whole_paths(toy: Toy) -> None:
    (toy.src / "a.c").write_text("", encoding="utf-8")
    with pytest.raises(NotFast, match="a.c is not known"):
        toy.build(["a.c"])


@pytest.mark.parametrize("name", ["MODULES", "LOCALVERSION_AUTO", "IKHEADERS", "OID_REGISTRY", "SECURITY_APPARMOR"])
def test_configurations_with_other_rules_are_not_fast(name: str) -> None:
    with pytest.raises(NotFast, match=f"CONFIG_{name} is set"):
        fastbuild.check_config({name: "y"})
    fastbuild.check_config({name: "n"})


def test_checks_that_make_was_asked_for_are_not_fast() -> None:
    with pytest.raises(NotFast, match="KBUILD_CHECKSRC=1"):
        fastbuild.check_environment({"KBUILD_CHECKSRC": "1"})
    fastbuild.check_environment({"KBUILD_CHECKSRC": "0"})


def test_objtools_line_is_kept() -> None:
    text = b"savedcmd_a.o := x\n\nsource_a.o := a.c\n\n$(deps_a.o):\n\na.o: $(wildcard ./tools/objtool/objtool)\n"
    assert Record("a.o", text).after_dependencies == b"\na.o: $(wildcard ./tools/objtool/objtool)\n"


def test_version_counts_on(tmp_path: Path) -> None:
    header = tmp_path / "include/generated/utsversion.h"
    header.parent.mkdir(parents=True)
    header.write_text('#define UTS_VERSION "#41 SMP Mon Nov 23 07:24:40 UTC 2026"\n', encoding="utf-8")
    fastbuild.new_version(tmp_path, {})
    assert header.read_text(encoding="utf-8").startswith('#define UTS_VERSION "#42 SMP ')
    assert (tmp_path / ".version").read_text(encoding="ascii") == "42\n"
    fixed = header.read_text(encoding="utf-8")
    fastbuild.new_version(tmp_path, {"KBUILD_BUILD_TIMESTAMP": "then"})
    assert header.read_text(encoding="utf-8") == fixed


def test_outdated_objects_go_whatever_their_times(toy: Toy) -> None:
    building.outdate(BuildDir(toy.obj), toy.src, frozenset(["mm/a.h"]))
    assert not (toy.obj / "mm/a.o").exists() and (toy.obj / "mm/b.o").exists()


def test_objects_made_from_another_header_of_that_name_go(toy: Toy) -> None:
    build, names = BuildDir(toy.obj), frozenset(["include/a.h", "include/aa.h"])
    for name in names:
        (toy.src / name).parent.mkdir(exist_ok=True)
        (toy.src / name).touch()
    building.outdate(build, toy.src, names)
    building.outdate(build, toy.src, names, frozenset(["include/aa.h"]))
    assert (toy.obj / "mm/a.o").exists()
    building.outdate(build, toy.src, names, frozenset(["include/a.h"]))
    assert not (toy.obj / "mm/a.o").exists() and (toy.obj / "mm/b.o").exists()


def test_build_from_the_future_is_pulled_back_in_its_order(tmp_path: Path) -> None:
    now = time.time_ns()
    ages = {"a.o": -10, "sub/b.a": 5000, "sub/.b.a.cmd": 5001, "vmlinux": 9000}
    for name, seconds in ages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(now, now + seconds * 10**9))
    BuildDir(tmp_path).pull_back()
    after = [(tmp_path / name).stat().st_mtime_ns for name in ages]
    assert after == sorted(after) and len(set(after)) == 4 and after[-1] <= time.time_ns()
    BuildDir(tmp_path).pull_back()
    assert [(tmp_path / name).stat().st_mtime_ns for name in ages] == after

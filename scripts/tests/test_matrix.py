# SPDX-License-Identifier: GPL-2.0
"""scripts/matrix, --boot and --matrix; the architectures' files."""

import os
import re
from pathlib import Path

import pytest

from mhp import arch, kunit_run, kvm, matrix, matrix_run, options, paths, run
from mhp.arch import Arch
from mhp.builddir import BuildDir
from mhp.exits import Exit, MhpError
from mhp.ktap import Finding
from mhp.results import FAIL, PASS, SKIP, Case
from mhp.verdict import Verdict

GOOD = "one | x86_64 | quick | | -cpu max | a=1 'b c' | what for\ntwo | x86_64 | full | small-page | | | more\n"


def test_rows_are_flags() -> None:
    one, two = matrix.parse(f"# comment\n\n{GOOD}", "table")
    assert one.words(True) == ["--arch=x86_64", "--qemu_args=-cpu max", "--kernel_args=a=1", "--kernel_args=b c"]
    assert two.words(False) == ["--arch=x86_64", "--config=small-page"] and two.build == "x86_64-small-page"


@pytest.mark.parametrize(("line", "why"), [
    ("one | x86_64", "2 columns"), ("a/b | x86_64 | quick | | | | x", "no name"),
    ("a | ../um | quick | | | | x", "no architecture"), ("a | sparc | quick | | | | x", "no architecture"),
    ("a | x86_64 | slow | | | | x", "the set is"), ("a | x86_64 | quick | none | | | x", "none.config"),
    ("a | x86_64 | quick | | '  | | x", "quotation"), ("a | x86_64 | quick | | | | ", "what it is for"),
    ("one | x86_64 | quick | | | | x", "two of them")])
def test_bad_line_is_named(line: str, why: str) -> None:
    with pytest.raises(MhpError, match=f"table:3: .*{re.escape(why)}"):
        matrix.parse(f"{GOOD}{line}\n", "table")


def test_real_files_fit_together() -> None:
    rows = matrix.rows()
    names = {row.arch for row in rows} - {"um"}
    assert names == {path.stem for path in (paths.SCRIPTS / "qemu").glob("*.py")}
    for name in names:
        said = arch.directives(Arch(name).base)
        needs = (paths.SCRIPTS / "packages").read_text(encoding="utf-8")
        assert re.search(rf"^{said['qemu']}\s.* {name} ", needs, re.M)


def test_boot_is_what_its_line_says() -> None:
    name = matrix.rows()[-1].name
    found = options.parse(["exec", "--timeout=9", "--boot", name, "mhp_x*"])
    assert found.seen.arch == matrix.find(name).arch and found.seen.target == "mhp_x*" and found.seen.timeout == 9
    assert found.typed == ("exec", "--timeout=9", "--boot", name, "mhp_x*")
    with pytest.raises(MhpError, match="no such line"):
        options.parse(["run", "--boot=none"])
    with pytest.raises(MhpError, match="not both"):
        options.parse(["run", f"--boot={name}", "--matrix=quick"])
    with pytest.raises(MhpError, match="goes with run or exec"):
        options.parse(["build", "--matrix=quick"])


def test_boot_image_is_made_from_the_kernel(tmp_path: Path) -> None:
    build, words = BuildDir(tmp_path), ["-cpu max -kernel {build}/boot/image", "-m 1G"]
    assert build.named(words[0]) == f"-cpu max -kernel {tmp_path}/boot/image"
    assert BuildDir(Path("/a b")).named(words[0]) == "-cpu max -kernel '/a b'/boot/image", "one word to shlex"
    image, kernel = tmp_path / "boot/image", build.kernel("x86_64")
    assert build.stale_image(words, "x86_64") == image and build.stale_image(words[1:], "x86_64") is None
    image.parent.mkdir()
    image.touch()
    kernel.touch()
    os.utime(image, (1, 1))
    assert build.stale_image(words, "x86_64") == image, "a build without make made a newer kernel"
    os.utime(kernel, (0, 0))
    assert build.stale_image(words, "x86_64") is None


def test_compiler_prefix_is_none_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    class Uname:
        machine = "x86_64"

    monkeypatch.setattr(arch.os, "uname", Uname)
    assert Arch("x86_64").cross_compile([]) == "" and Arch("um").cross_compile([]) == ""
    Uname.machine = "aarch64"
    assert Arch("x86_64").cross_compile([]) == "x86_64-linux-gnu-"


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MhpError, match="gcc and qemu-system-x86_64: `scripts/setup x86_64`") as caught:
        Arch("x86_64").check_tools("", True)
    assert caught.value.status == Exit.MISSING_TOOL


def test_kvm_is_what_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHP_BUILD", str(tmp_path))
    monkeypatch.setattr(kvm, "_DEVICE", str(tmp_path / "kvm"))
    (tmp_path / "vmlinux").touch()
    boots = []

    def ends(*_args: object, **_more: object) -> run.Result:
        boots.append(1)
        return run.Result((), 0, b"Kernel panic - not syncing: no init", b"")

    monkeypatch.setattr(kvm.run, "run", ends)
    assert not kvm.works("qemu", tmp_path / "vmlinux") and not boots
    (tmp_path / "kvm").touch()
    assert not kvm.works("qemu", tmp_path / "no kernel") and not boots
    assert kvm.works("qemu", tmp_path / "vmlinux") and kvm.works("qemu", tmp_path / "vmlinux") and boots == [1]


def test_kvm_that_stops_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MHP_BUILD", str(tmp_path))
    monkeypatch.setattr(kvm, "_DEVICE", "/dev/null")
    (tmp_path / "vmlinux").touch()

    def hangs(*_args: object, **_more: object) -> run.Result:
        raise MhpError(Exit.TIMEOUT, "too long")

    monkeypatch.setattr(kvm.run, "run", hangs)
    assert not kvm.works("qemu", tmp_path / "vmlinux")


def test_cpu_model_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arch.kvm, "works", lambda *_: True)
    monkeypatch.setattr(arch.os, "uname", lambda: type("U", (), {"machine": "x86_64"}))
    assert Arch("x86_64").accelerator([], Path()) == ["-accel kvm"]
    assert not Arch("x86_64").accelerator(["-smp 1 -cpu max"], Path())
    assert not Arch("um").accelerator([], Path())


def boot_of(verdicts: dict[str, Verdict | MhpError], build: Path) -> matrix_run.Boot:
    def boot(asked: options.Options) -> tuple[Verdict, BuildDir]:
        found = verdicts[asked.typed[1].partition("=")[2]]
        if isinstance(found, MhpError):
            raise found
        return found, BuildDir(build)
    return boot


def test_boots_are_reported_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    rows = matrix.parse(GOOD + "three | x86_64 | full | | | | third\n", "table")
    monkeypatch.setattr(matrix, "rows", lambda: rows)
    (tmp_path / "test.log").write_text("the log")
    verdicts: dict[str, Verdict | MhpError] = {
        "one": Verdict(Exit.PASS, (), (Case("s.a", PASS), Case("s.b", SKIP), Case("s.c", SKIP)), {"s.c": "why"}),
        "two": Verdict(Exit.FINDINGS, (Finding(Exit.FINDINGS, "s.b failed", 0, "s.b"),), (Case("s.b", FAIL),)),
        "three": MhpError(Exit.MISSING_TOOL, "no qemu")}
    asked = options.parse(["exec", "--matrix=full", "--arch=x86_64"])
    assert kunit_run.matrix_run.command(asked, boot_of(verdicts, tmp_path)) == Exit.FINDINGS
    out = capsys.readouterr().out
    assert "repeat: scripts/kunit.py exec --boot=two" in out and "no qemu" in out
    assert "skipped in every boot: s.c: why" in out and "every boot: s.b" not in out
    assert "1 of 3 boots are right: two, three; 1 passed, 2 failed, 2 skipped" in out
    assert (tmp_path / "boot-two.log").read_text() == "the log"


def test_set_without_a_line_is_refused() -> None:
    with pytest.raises(MhpError, match="no line for --arch=sparc"):
        matrix.chosen("quick", "sparc")

# SPDX-License-Identifier: GPL-2.0
"""The default kernel source: a package made here, and an apt-get that does what the test wants."""

import shutil
import tarfile
from pathlib import Path

import pytest
from small_world import KERNEL, World, changed_times, edit, git, mtimes, write

from mhp import base, source, tree
from mhp.exits import Exit, MhpError

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb here")


@pytest.fixture(autouse=True)
def fixture_system(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without the package, without lists, and with a PATH that the test can put programs in."""
    monkeypatch.setattr(source, "_INSTALLED", world.tmp / "usr/src/linux-source-6.12.tar.xz")
    monkeypatch.setattr(source, "_APT_LISTS", world.tmp / "lists")
    monkeypatch.setenv("PATH", f"{world.tmp / 'bin'}:/usr/bin:/bin")
    program(world, "apt-get", "exit 100")
    program(world, "apt-cache", "exit 0")


def program(world: World, name: str, script: str) -> None:
    """Put a program into the PATH."""
    write(world.tmp, {f"bin/{name}": f"#!/bin/sh\n{script}\n"})
    (world.tmp / "bin" / name).chmod(0o755)


def package(world: World, version: str, **files: str) -> Path:
    """A linux-source package with the small kernel, some of its files replaced."""
    top = world.tmp / f"pack {version}"
    write(top / "linux-source-6.12", {**KERNEL, **{name.replace("__", "/") + ".c": text
                                                   for name, text in files.items()}})
    script = top / "linux-source-6.12/scripts/run.sh"
    write(top, {"linux-source-6.12/scripts/run.sh": "#!/bin/sh\n"})
    script.chmod(0o755)
    (top / "linux-source-6.12/link").symlink_to("Makefile")
    archive = top / "deb/usr/src/linux-source-6.12.tar.xz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(top / "linux-source-6.12", "linux-source-6.12")
    write(top, {"deb/DEBIAN/control": f"Package: linux-source-6.12\nVersion: {version}\nArchitecture: all\n"
                                      "Maintainer: nobody <nobody@example.org>\nDescription: test\n"})
    deb = world.tmp / f"linux-source-6.12_{version}_all.deb"
    source.check(["dpkg-deb", "--root-owner-group", "-Znone", "-b", top / "deb", deb])
    return deb


def drop(world: World, deb: Path) -> None:
    """Put a package where the user may put one."""
    (world.build / "src").mkdir(parents=True, exist_ok=True)
    shutil.copy(deb, world.build / "src")


def test_package_in_src_is_used(world: World) -> None:
    drop(world, package(world, "6.12.1-1"))
    prepared = tree.prepare()
    assert prepared.id == "v6.12" and prepared.origin == "linux-source-6.12 6.12.1-1"
    assert world.subjects()[0] == "linux-source-6.12 6.12.1-1"
    assert (world.linux / "scripts/run.sh").stat().st_mode & 0o111
    assert (world.linux / "link").is_symlink()
    assert [path.name for path in (world.build / "src").glob("l*.xz")] == ["linux-source-6.12_6.12.1-1.tar.xz"]
    before = mtimes(world.linux)
    assert tree.prepare() == prepared
    assert mtimes(world.linux) == before


def test_installed_package_is_used(world: World) -> None:
    source.check(["dpkg-deb", "-x", package(world, "6.12.1-1"), world.tmp])
    tree.prepare()
    assert not list((world.build / "src").glob("*.tar.xz"))
    assert world.read("mm/memory_hotplug.c") == KERNEL["mm/memory_hotplug.c"]


def fake_apt(world: World, deb: Path, needs_update: bool = False) -> None:
    """An apt-get that has the package, at once or after an update with lists of its own."""
    size = deb.stat().st_size
    program(world, "apt-get", f"""
echo "$@" >>{world.tmp}/apt.calls
case "$*" in
*update*) touch {world.tmp}/updated ;;
*print-uris*)
	{'[ -e ' + str(world.tmp) + '/updated ] || {{ echo "E: Unable to locate package" >&2; exit 100; }}'
     if needs_update else ':'}
	echo "'http://deb.example.org/x.deb' {deb.name} {size} SHA256:0" ;;
*download*) cp '{deb}' . ;;
esac""".replace("{{", "{").replace("}}", "}"))
    program(world, "apt-cache", f"printf 'linux-source-6.12:\\n  Installed: (none)\\n  Candidate: "
                                f"{deb.name.split('_')[1]}\\n'")


@pytest.mark.parametrize("needs_update", [False, True])
def test_package_is_downloaded(world: World, needs_update: bool) -> None:
    fake_apt(world, package(world, "6.12.1-1"), needs_update)
    assert tree.prepare().origin == "linux-source-6.12 6.12.1-1"
    calls = (world.tmp / "apt.calls").read_text()
    assert ("update" in calls) == needs_update
    assert sorted(path.name for path in (world.build / "src").glob("[!.]*")) == [
        "linux-source-6.12_6.12.1-1.base", "linux-source-6.12_6.12.1-1.tar.xz"]


def test_newer_package_is_said_once_and_taken_on_request(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    drop(world, package(world, "6.12.1-1"))
    world.mm_patch(1)
    tree.prepare()
    newer = package(world, "6.12.2-1", mm__page_alloc=KERNEL["mm/page_alloc.c"].replace("return 5;", "return 55;"))
    fake_apt(world, newer)
    (world.tmp / "lists").mkdir()
    before = mtimes(world.linux)
    capsys.readouterr()
    tree.prepare()
    assert "6.12.2-1 is out" in capsys.readouterr().err
    tree.prepare()
    assert capsys.readouterr().err == ""
    assert mtimes(world.linux) == before
    edit(world.linux / "include/linux/mm.h", "page", "mine")
    tree.prepare(update_base=True)
    assert changed_times(before, mtimes(world.linux)) == {"mm/page_alloc.c", "include/linux/mm.h"}
    assert world.subjects()[0] == "linux-source-6.12 6.12.2-1" and world.subjects()[-1] == "mm: change 1"
    assert sorted(path.name for path in (world.build / "src").glob("[!.]*")) == [
        "linux-source-6.12_6.12.2-1.base", "linux-source-6.12_6.12.2-1.tar.xz"]
    head = git(world.linux, "rev-parse", "HEAD")
    tree.prepare(update_base=True)
    assert "is the newest" in capsys.readouterr().err
    assert git(world.linux, "rev-parse", "HEAD") == head


def test_update_that_breaks_a_patch_changes_nothing(world: World) -> None:
    drop(world, package(world, "6.12.1-1"))
    world.mm_patch(1)
    tree.prepare()
    head, before = git(world.linux, "rev-parse", "HEAD"), mtimes(world.linux)
    fake_apt(world, package(world, "6.12.2-1", mm__memory_hotplug="int rewritten;\n"))
    with pytest.raises(MhpError, match="0001-mm-change-1.patch") as caught:
        tree.prepare(update_base=True)
    assert caught.value.status == Exit.BROKEN_BASE
    assert (git(world.linux, "rev-parse", "HEAD"), mtimes(world.linux)) == (head, before)
    tree.prepare()


def test_no_network(world: World) -> None:
    program(world, "apt-get", "echo 'E: Temporary failure resolving' >&2; exit 100")
    with pytest.raises(MhpError, match="LINUX=DIR") as caught:
        tree.prepare()
    assert "Temporary failure" in str(caught.value)
    assert caught.value.status == Exit.BROKEN_BASE
    assert not list((world.build / "src").glob("[!.]*"))


def test_no_apt(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MhpError, match="no apt-get.*LINUX=DIR") as caught:
        tree.prepare()
    assert caught.value.status == Exit.BROKEN_BASE


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damaged_tarball(world: World, damage: str) -> None:
    drop(world, package(world, "6.12.1-1"))
    source.find_or_fetch()
    (archive,) = (world.build / "src").glob("*.tar.xz")
    data = archive.read_bytes()
    archive.write_bytes({"cut": data[:len(data) // 2], "garbage": b"x" * 1000, "empty": b""}[damage])
    with pytest.raises(MhpError) as caught:
        tree.prepare()
    assert caught.value.status == Exit.BROKEN_BASE
    assert not list(world.build.glob("v6.12/linux*"))


def _second_clone(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """Prepare from the same sources below another build/; the commit of the kernel."""
    other = world.tmp / "build of another clone"
    shutil.rmtree(other, ignore_errors=True)
    monkeypatch.setenv("MHP_SOURCES", str(world.build / "src"))
    monkeypatch.setenv("MHP_BUILD", str(other))
    linux = tree.prepare().path
    git(linux, "fsck", "--full", "--no-dangling")
    assert (linux / "mm/memory_hotplug.c").read_text(encoding="utf-8") == KERNEL["mm/memory_hotplug.c"]
    assert not list(other.glob("src"))
    return git(linux, "rev-list", "--max-parents=0", "HEAD")


def test_another_clone_takes_the_sources_as_git_has_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(world, package(world, "6.12.1-1"))
    tree.prepare()
    commit = git(world.linux, "rev-list", "--max-parents=0", "HEAD")
    monkeypatch.setattr(base, "import_tarball", None)
    assert _second_clone(world, monkeypatch) == commit
    shutil.rmtree(world.build)  # what is shared is nobody's alone
    git(world.tmp / "build of another clone/v6.12/linux", "fsck", "--full", "--no-dangling")


@pytest.mark.parametrize("damage", ["cut", "gone", "another commit"])
def test_damaged_objects_of_sources_are_made_anew(world: World, monkeypatch: pytest.MonkeyPatch, damage: str,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    drop(world, package(world, "6.12.1-1"))
    tree.prepare()
    commit = git(world.linux, "rev-list", "--max-parents=0", "HEAD")
    (kept,) = (world.build / "src").glob("*.base")
    (pack,) = kept.glob("*.pack")
    data = pack.read_bytes()
    pack.unlink()
    if damage == "cut":
        pack.write_bytes(data[:len(data) // 2])
    elif damage == "another commit":
        pack.write_bytes(data)
        (kept / "commit").write_text("0" * 40)
    for said in (True, False):
        assert _second_clone(world, monkeypatch) == commit
        assert ("is damaged" in capsys.readouterr().err) == said


def test_leftovers_of_a_killed_download_are_removed(world: World) -> None:
    write(world.build, {"src/fetch.dead/linux-source-6.12_6.12.1-1_all.deb": "half"})
    fake_apt(world, package(world, "6.12.1-1"))
    tree.prepare()
    assert not (world.build / "src/fetch.dead").exists()


def test_too_little_space(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_NEEDED_MIB", 1 << 40)
    with pytest.raises(MhpError, match="MHP_BUILD"):
        tree.prepare()

# SPDX-License-Identifier: GPL-2.0
"""Patches as untrusted input: what is refused, what a message says, how mails and mboxes are read."""

from pathlib import Path

import pytest
from small_world import World, git, write

from mhp import mails, patches, series, series_files, tree
from mhp.exits import Exit, MhpError
from mhp.git import Git
from mhp.progress import plain

HEAD = "From: A <a@example.org>\nDate: Tue, 14 Nov 2023 22:13:20 +0000\nSubject: [PATCH] mm: evil\n\nWhy.\n---\n"
GOOD = ("diff --git a/mm/page_alloc.c b/mm/page_alloc.c\n--- a/mm/page_alloc.c\n+++ b/mm/page_alloc.c\n"
        "@@ -1,3 +1,3 @@\n-int alloc_0(void) { return 0; }\n+int alloc_0(void) { return 7; }\n"
        " int alloc_1(void) { return 1; }\n int alloc_2(void) { return 2; }\n")


def new_file(path: str, mode: str = "100644") -> str:
    """A diff that makes a file."""
    return (f"diff --git a/{path} b/{path}\nnew file mode {mode}\nindex 0000000..1111111\n--- /dev/null\n"
            f"+++ b/{path}\n@@ -0,0 +1 @@\n+/etc/passwd\n")


EVIL = {
    "parent": new_file("../outside.c"),
    "inner parent": new_file("mm/../../outside.c"),
    "absolute": new_file("/tmp/absolute.c"),
    "git's own": new_file(".git/hooks/post-checkout"),
    "git's own, other case": new_file("mm/.GIT/config"),
    "for a shell": new_file("mm/$(touch${IFS}outside.c).c"),
    "for make": new_file("mm/$(shell touch outside.c).c"),
    "an option": new_file("-outside.c"),
    "too long for a file": new_file(f"mm/{'a' * 300}.c"),
    "too long": new_file("/".join(["mm"] * 400 + ["a.c"])),
    "symbolic link": new_file("mm/link", "120000"),
    "submodule": ("diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n+++ b/sub\n"
                  "@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n"),
    "binary": ("diff --git a/mm/x.bin b/mm/x.bin\nnew file mode 100644\nindex 0000000000000000000000000000000000000000.."
               "78981922613b2afb6025042ff6bd878ac1994e85\nGIT binary patch\nliteral 2\nJcmYc;N&oLq0{{s@00031\n\n"
               "literal 0\nHcmV?d00001\n\n"),
    "rename out": ("diff --git a/mm/page_alloc.c b/../page_alloc.c\nsimilarity index 100%\n"
                   "rename from mm/page_alloc.c\nrename to ../page_alloc.c\n"),
    "mode to link": ("diff --git a/mm/page_alloc.c b/mm/page_alloc.c\nold mode 100644\nnew mode 120000\n"),
    "no change": "nothing\n",
    "garbage": "diff --git a/mm/x b/mm/x\n--- a/mm/x\n+++ b/mm/x\n@@ -1,9999999 +1 @@\n garbage\n",
}


def import_text(world: World, text: str, name: str = "0001-x.patch") -> None:
    """Import one patch from a directory."""
    write(world.tmp, {f"in/{name}": text})
    prepared = world.prepare()
    series.import_patches(prepared, str(world.tmp / "in"), None, False)


@pytest.mark.parametrize("kind", sorted(EVIL))
def test_evil_patch_refused(world: World, kind: str) -> None:
    world.mm_patch(1)
    with pytest.raises(MhpError) as caught:
        import_text(world, HEAD + EVIL[kind])
    assert caught.value.status in (Exit.USAGE, Exit.BROKEN_BASE)
    assert [path.name for path in world.patches.glob("*.patch")] == ["0001-mm-change-1.patch"]
    assert not list(world.tmp.rglob("outside.c")) and not Path("/tmp/absolute.c").exists()
    write(world.patches, {"series": "0001-mm-change-1.patch\nevil.patch\n", "evil.patch": HEAD + EVIL[kind]})
    with pytest.raises(MhpError):
        world.prepare()
    assert git(world.linux, "status", "--porcelain") == ""


def test_patch_through_a_link_of_the_kernel_refused(world: World) -> None:
    (world.kernel / "mm/out.c").symlink_to(world.tmp / "target.c")
    git(world.kernel, "add", "-A")
    git(world.kernel, "commit", "-q", "-m", "a link")
    with pytest.raises(MhpError, match="symbolic link"):
        import_text(world, HEAD + GOOD.replace("mm/page_alloc.c", "mm/out.c"))


def test_huge_patch_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "MAX_PATCH_BYTES", 1 << 20)
    with pytest.raises(MhpError, match="larger than 1 MiB"):
        import_text(world, HEAD + GOOD + "x" * (1 << 20))


def test_huge_mbox_refused(world: World) -> None:
    mbox = world.tmp / "huge.mbox"
    with mbox.open("wb") as file:
        file.truncate(mails.MAX_MBOX_BYTES + 1)
    with pytest.raises(MhpError, match="larger than 100 MiB"):
        series.import_patches(world.prepare(), str(mbox), None, False)


def test_too_many_patches_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "MAX_PATCHES", 2)
    write(world.tmp, {f"in/000{number}-x.patch": HEAD + GOOD for number in (1, 2, 3)})
    with pytest.raises(MhpError, match="more than 2"):
        series.import_patches(world.prepare(), str(world.tmp / "in"), None, False)


@pytest.mark.parametrize("line", ["../x.patch", "/etc/passwd", "-x.patch", "a/b.patch", "x.patch -p0", ".patch",
                                  "0001-gone.patch", "0001-x.patch\n0001-x.patch", "x\x1b[2J.patch"])
def test_series_file_with_a_bad_name_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"series": f"# comment\n\n{line}\n", "0001-x.patch": GOOD})
    with pytest.raises(MhpError, match="series:"):
        patches.read_series(tmp_path)


def test_series_file_with_comments(tmp_path: Path) -> None:
    write(tmp_path, {"series": "# first\n\n0001-x.patch # why\n", "0001-x.patch": GOOD})
    assert patches.read_series(tmp_path) == [tmp_path / "0001-x.patch"]
    assert not patches.read_series(tmp_path / "nowhere")


def test_link_in_a_directory_refused(world: World) -> None:
    write(world.tmp, {"in/readme": "", "secret": "secret\n"})
    (world.tmp / "in/0001-x.patch").symlink_to(world.tmp / "secret")
    with pytest.raises(MhpError, match="not a plain file"):
        series.import_patches(world.prepare(), str(world.tmp / "in"), None, False)


def mail(number: str, subject: str, diff: str, more: str = "") -> str:
    """One mail of an mbox."""
    return (f"From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A U Thor <author@example.org>\n"
            f"Date: Tue, 14 Nov 2023 22:13:20 +0000\nSubject: {number}{subject}\n{more}\nWhy, by mail.\n---\n{diff}\n")


def line(number: int) -> str:
    """A diff of one line, from 2 on, with two lines of context on each side."""
    old = [f" int alloc_{n}(void) {{ return {n}; }}\n" for n in range(number - 2, number + 3)]
    old[2:3] = [f"-{old[2][1:]}", f"+int alloc_{number}(void) {{ return -1; }}\n"]
    return ("diff --git a/mm/page_alloc.c b/mm/page_alloc.c\n--- a/mm/page_alloc.c\n+++ b/mm/page_alloc.c\n"
            f"@@ -{number - 1},5 +{number - 1},5 @@\n{''.join(old)}")


def test_mbox_in_the_order_of_its_numbers(world: World) -> None:
    world.mm_patch(1)
    mbox = world.tmp / "t.mbox"
    mbox.write_text(mail("[PATCH v2 0/2] ", "cover", "") + mail("[PATCH v2 2/2] ", "mm: second", line(9))
                    + mail("[PATCH v2 1/2] ", "mm: first", line(3))
                    + mail("Re: [PATCH v2 1/2] ", "mm: first", line(3)), encoding="utf-8")
    prepared = world.prepare()
    series.import_patches(prepared, str(mbox), None, False)
    world.prepare()
    assert world.subjects()[-3:] == ["kunit: the suites", "mm: first", "mm: second"]
    assert sorted(path.name for path in world.patches.iterdir()) == [
        "0001-mm-first.patch", "0002-mm-second.patch", "series"]
    assert "Why, by mail." in git(world.linux, "log", "-1", "--format=%b")


def test_mbox_append(world: World) -> None:
    world.mm_patch(1)
    mbox = world.tmp / "t.mbox"
    mbox.write_text(mail("[PATCH] ", "mm: more", line(9)), encoding="utf-8")
    prepared = world.prepare()
    series.import_patches(prepared, str(mbox), None, True)
    world.prepare()
    assert world.subjects()[-2:] == ["mm: change 1", "mm: more"]


@pytest.mark.parametrize("subjects, said", [
    (["[PATCH v1 1/1] a", "[PATCH v2 1/1] b"], "several versions"), (["[PATCH 1/3] a", "[PATCH 3/3] b"], "2 of 3"),
    (["[PATCH 1/2] a", "[PATCH 1/2] b"], "same number")])
def test_mbox_that_is_no_series_refused(world: World, subjects: list[str], said: str) -> None:
    mbox = world.tmp / "t.mbox"
    mbox.write_text("".join(mail("", subject, line(number)) for number, subject in enumerate(subjects, start=2)),
                    encoding="utf-8")
    with pytest.raises(MhpError, match=said):
        series.import_patches(world.prepare(), str(mbox), None, False)


def test_mbox_with_an_encoded_mail(world: World) -> None:
    text = mail("=?utf-8?q?=5BPATCH=5D_?=", "=?utf-8?q?mm=3A_=C3=A9?=",
                line(3).replace("=", "=3D"),
                "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n")
    (world.tmp / "t.mbox").write_text(text, encoding="utf-8")
    prepared = world.prepare()
    series.import_patches(prepared, str(world.tmp / "t.mbox"), None, False)
    world.prepare()
    assert world.subjects()[-1] == "mm: é"


def test_hostile_subject_cannot_leave_its_place(world: World) -> None:
    (world.tmp / "t.mbox").write_text(mail("[PATCH] ", "../../x/\x1b[31m; rm -rf $HOME `id`", line(3)),
                                      encoding="utf-8")
    prepared = world.prepare()
    series.import_patches(prepared, str(world.tmp / "t.mbox"), None, False)
    (patch,) = world.patches.glob("*.patch")
    assert patch.name.isascii() and "/" not in patch.name and patch.name.startswith("0001-")
    world.prepare()
    assert "\x1b" not in plain("\n".join(series.describe(prepared)))


def test_import_that_does_not_apply_changes_nothing(world: World) -> None:
    kept = world.mm_patch(1).read_bytes()
    with pytest.raises(MhpError, match="hunk 1") as caught:
        import_text(world, HEAD + GOOD.replace("alloc_0", "nothing_0").replace("alloc_1", "nothing_1"))
    assert caught.value.status == Exit.BROKEN_BASE
    assert (world.patches / "0001-mm-change-1.patch").read_bytes() == kept
    assert not series_files.pending(world.linux.parent)
    world.prepare()
    assert world.subjects()[-1] == "mm: change 1"


def test_import_of_a_range(world: World) -> None:
    prepared = world.prepare()
    for number in (3, 4):
        path = world.kernel / "mm/page_alloc.c"
        path.write_text(path.read_text().replace(f"return {number};", f"return -{number};"))
        git(world.kernel, "commit", "-q", "-a", "-m", f"mm: theirs {number}")
    git(world.kernel, "checkout", "-q", "-b", "topic")
    git(world.kernel, "checkout", "-q", "--detach", "HEAD~2")
    series.import_patches(prepared, "topic~2..topic", world.kernel, False)
    tree.prepare(world.kernel)
    assert world.subjects()[-2:] == ["mm: theirs 3", "mm: theirs 4"]
    for bad in ("--output=/tmp/x..y", "nothing..topic", "topic"):
        with pytest.raises(MhpError) as caught:
            series.import_patches(prepared, bad, world.kernel, False)
        assert caught.value.status == Exit.USAGE


def test_import_with_own_commits_stops(world: World) -> None:
    prepared = world.prepare()
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mine")
    with pytest.raises(MhpError, match="refresh") as caught:
        import_text(world, HEAD + GOOD)
    assert caught.value.status == Exit.UNEXPORTED
    assert prepared.path.exists() and not list(world.patches.iterdir())


def test_bare_diff_has_its_name_as_subject(world: World) -> None:
    write(world.patches, {"fix-it.patch": GOOD, "series": "fix-it.patch\n"})
    world.prepare()
    assert world.subjects()[-1] == "fix-it"


@pytest.mark.parametrize("date", ["yesterday", "Tue, 14 Nov 9999 22:13:20 +0000", ""])
def test_mail_with_a_bad_date_or_author(world: World, date: str) -> None:
    text = f"From: <>x\nDate: {date}\nSubject: [PATCH] mm: odd\n\nWhy.\n---\n{GOOD}"
    write(world.patches, {"odd.patch": text, "series": "odd.patch\n"})
    world.prepare()
    assert world.subjects()[-1] == "mm: odd"


def test_message_names_missing_file(world: World) -> None:
    world.prepare()
    with pytest.raises(MhpError, match="mm/gone.c: does not exist"):
        patches.apply(Git(world.linux / ".git"), GOOD.replace("page_alloc", "gone").encode(), "x.patch", lambda _: {})


def test_git_that_cannot_write_is_not_the_patchs_fault(world: World) -> None:
    """As on a full disk, it cannot make an object."""
    world.prepare()
    repository = Git(world.linux / ".git")
    for number in range(256):
        place = repository.gitdir / f"objects/{number:02x}"
        if not place.exists():
            place.touch()
    with pytest.raises(MhpError, match="unable to create") as caught:
        patches.apply(repository, GOOD.encode(), "x.patch", lambda paths: repository.entries("HEAD", paths))
    assert caught.value.status == Exit.INTERNAL


def test_patch_that_the_base_holds_is_passed_over(world: World) -> None:
    write(world.patches, {"0001-x.patch": HEAD + GOOD.replace("alloc_0(void) { return 0;", "alloc_0(void) { return 9;")
                          .replace("alloc_0(void) { return 7;", "alloc_0(void) { return 0;"), "series": "0001-x.patch\n"})
    prepared = world.prepare()
    (link,) = tree.read_state(prepared).part("mm")
    assert link.notes == (patches.IN_BASE,)
    assert not prepared.git.text("diff", f"{link.commit}^", link.commit)

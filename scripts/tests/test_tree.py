# SPDX-License-Identifier: GPL-2.0
"""The prepared tree: what is in it, what a change of its inputs touches, what it never overwrites."""

import json
import re
import shutil
import time

import pytest
from small_world import World, changed_times, edit, git, mtimes, snapshot, write

from mhp import ahead, series, state, tree
from mhp.exits import Exit, MhpError
from mhp.git import Git


def refuse(world: World, **more: bool) -> str:
    """Prepare, which must stop for the user's edits without touching anything; the message."""
    before, head = mtimes(world.linux), git(world.linux, "rev-parse", "HEAD")
    with pytest.raises(MhpError) as caught:
        world.prepare(**more)
    assert caught.value.status == Exit.UNEXPORTED
    assert mtimes(world.linux) == before
    assert git(world.linux, "rev-parse", "HEAD") == head
    return str(caught.value)


def test_prepare_fresh(world: World) -> None:
    world.patch(world.shims, "0001-um.patch", {"arch/um/Kconfig": ("bool", "bool \"um\"")}, "um: hook")
    world.mm_patch(1)
    prepared = world.prepare()
    assert world.subjects() == ["base", "arch-shims: new files of um", "um: hook", "kunit: the suites",
                                "mm: change 1"]
    assert world.read("mm/mhp_kunit/first_kunit.c") == "int first;\n"
    assert world.read("arch/um/kernel/hotplug.c") == "int um;\n"
    assert not (world.linux / "mm/mhp_kunit/README.md").exists()
    assert not (world.linux / "mm/mhp_kunit/configs").exists()
    assert "return 10 + 1;" in world.read("mm/memory_hotplug.c")
    assert git(world.linux, "status", "--porcelain") == ""
    assert prepared.base == "v6.12" and prepared.path == world.linux and prepared.build == world.linux.parent
    assert git(world.linux, "log", "-1", "--format=%an <%ae> %ad", "--date=raw") == \
        "A U Thor <author@example.org> 1700000000 +0000"


def test_prepare_twice_same_ids(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    first = git(world.linux, "rev-parse", "HEAD")
    shutil.rmtree(world.build)
    world.prepare()
    assert git(world.linux, "rev-parse", "HEAD") == first


def test_prepare_unchanged_touches_nothing(world: World) -> None:
    world.prepare()
    before = snapshot(world.linux)
    start = time.monotonic()
    world.prepare()
    assert time.monotonic() - start < 1
    assert snapshot(world.linux) == before


def test_suite_edited_touches_one_file(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    before = mtimes(world.linux)
    write(world.kunit, {"first_kunit.c": "int changed;\n", "second_kunit.c": "int second;\n"})
    world.prepare()
    assert changed_times(before, mtimes(world.linux)) == {"mm/mhp_kunit/first_kunit.c",
                                                          "mm/mhp_kunit/second_kunit.c"}
    assert world.subjects()[-1] == "mm: change 1"


def test_suite_removed(world: World) -> None:
    write(world.kunit, {"second_kunit.c": "int second;\n"})
    world.prepare()
    (world.kunit / "second_kunit.c").unlink()
    world.prepare()
    assert not (world.linux / "mm/mhp_kunit/second_kunit.c").exists()


def test_git_remembers_directories_of_the_tree(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look that each run takes reads none but those that changed since."""
    begin = ahead.begin

    def later(git_of_tree: Git, early: bool = False, remember: bool = False) -> None:
        time.sleep(1.1)  # git does not trust a directory of the same second; a kernel takes longer to write
        begin(git_of_tree, early, remember)

    monkeypatch.setattr(ahead, "begin", later)
    prepared = world.prepare()
    for number, opened in enumerate(({0}, {1, 2})):
        write(world.linux, {"mm/new.h": "int new;\n"} if number else {})
        trace = world.tmp / f"trace{number}"
        prepared.git.run("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all",
                         env={"GIT_TRACE2_PERF": str(trace)})
        (found,) = re.findall(r"opendir:(\d+)", trace.read_text(encoding="utf-8"))
        assert int(found) in opened


def test_look_from_before_a_change_is_not_used(world: World) -> None:
    world.prepare()
    world.mm_patch(1)
    prepared = world.prepare(look=True)
    assert ahead.seen(prepared.git)[:2] == (git(world.linux, "rev-parse", "HEAD"), [])


def test_editor_leftovers_ignored(world: World) -> None:
    write(world.kunit, {".first.swp": "x", "first_kunit.c~": "x", "#a#": "x", "a.orig": "x"})
    world.prepare()
    assert [path.name for path in (world.linux / "mm/mhp_kunit").iterdir()] == ["first_kunit.c"]


def test_shim_file_that_exists_in_base_refused(world: World) -> None:
    write(world.um, {"Kconfig": "mine\n"})
    with pytest.raises(MhpError, match="arch/um/Kconfig") as caught:
        world.prepare()
    assert caught.value.status == Exit.BROKEN_BASE
    assert not list(world.build.glob("*/linux*"))


def test_patch_edited_touches_its_file(world: World) -> None:
    patch = world.mm_patch(1)
    world.mm_patch(2)
    world.prepare()
    before = mtimes(world.linux)
    edit(patch, "return 10 + 1;", "return 10 + 2;")
    world.prepare()
    assert changed_times(before, mtimes(world.linux)) == {"mm/memory_hotplug.c"}
    assert "return 10 + 2;" in world.read("mm/memory_hotplug.c")
    assert world.subjects()[-2:] == ["mm: change 1", "mm: change 2"]


def test_patch_broken_changes_nothing(world: World) -> None:
    patch = world.mm_patch(1)
    world.prepare()
    before = snapshot(world.linux)
    edit(patch, " int hotplug_9(void)", " int gone_9(void)")
    edit(patch, " int hotplug_8(void)", " int gone_8(void)")
    edit(patch, "-int hotplug_10(void)", "-int gone_10(void)")
    with pytest.raises(MhpError) as caught:
        world.prepare()
    assert caught.value.status == Exit.BROKEN_BASE
    for word in ("0001-mm-change-1.patch", "mm/memory_hotplug.c", "hunk 1", "line 8", "gone_10", "(6.12)", "series none"):
        assert word in str(caught.value)
    world_after = {name: stat for name, stat in snapshot(world.linux).items() if "/.git" not in name}
    assert world_after == {name: stat for name, stat in before.items() if "/.git" not in name}


def test_broken_patch_as_far_leaves_the_tree_or_makes_what_applies(world: World) -> None:
    """For who works on the kernel alone; for all others it is as broken as before."""
    world.mm_patch(1)
    patch = world.mm_patch(2)
    text = patch.read_text()
    world.prepare()
    edit(patch, "-int hotplug_20(void)", "-int gone_20(void)")
    for place in (" int hotplug_19(void)", " int hotplug_18(void)"):
        edit(patch, place, " int gone(void)")
    assert world.prepare(as_far=True).base == "v6.12" and world.subjects()[-1] == "mm: change 2"
    shutil.rmtree(world.build)
    world.prepare(as_far=True)
    assert world.subjects()[-1] == "mm: change 1"
    before = sorted(world.patches.iterdir())
    with pytest.raises(MhpError, match="would lose the others"):
        series.refresh(tree.existing(world.kernel))
    assert sorted(world.patches.iterdir()) == before
    world.prepare(as_far=True)
    with pytest.raises(MhpError):
        world.prepare()
    patch.write_text(text)
    world.prepare()
    assert world.subjects()[-1] == "mm: change 2"


def test_kernel_that_the_shims_do_not_fit_as_far_is_there(world: World) -> None:
    world.prepare()
    write(world.kernel, {"arch/um/kernel/hotplug.c": "int theirs;\n"})
    git(world.kernel, "add", "-A")
    git(world.kernel, "commit", "-q", "-m", "um: theirs")
    with pytest.raises(MhpError):
        world.prepare()
    prepared = world.prepare(as_far=True)
    assert tree.read_state(prepared).base == git(world.kernel, "rev-parse", "HEAD")
    assert world.read("arch/um/kernel/hotplug.c") == "int theirs;\n"
    git(world.kernel, "reset", "-q", "--hard", "HEAD^")
    world.prepare()
    assert world.read("arch/um/kernel/hotplug.c") == "int um;\n"


def test_uncommitted_edit_elsewhere_kept(world: World) -> None:
    world.prepare()
    edit(world.linux / "mm/page_alloc.c", "return 3;", "return 33;")
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    world.prepare()
    assert "return 33;" in world.read("mm/page_alloc.c")
    assert world.read("mm/mhp_kunit/first_kunit.c") == "int changed;\n"
    assert git(world.linux, "status", "--porcelain").split() == ["M", "mm/page_alloc.c"]


def test_staged_edit_elsewhere_kept(world: World) -> None:
    world.prepare()
    edit(world.linux / "mm/page_alloc.c", "return 3;", "return 33;")
    git(world.linux, "add", "-A")
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    world.prepare()
    assert git(world.linux, "status", "--porcelain") == "M  mm/page_alloc.c"


def test_uncommitted_edit_in_the_way_stops(world: World) -> None:
    world.prepare()
    edit(world.linux / "mm/memory_hotplug.c", "return 3;", "return 33;")
    world.mm_patch(1)
    message = refuse(world)
    assert "\n  mm/memory_hotplug.c\n" in message and "--discard" in message
    refuse(world)  # and again the same, without taking it for a stopped move
    git(world.linux, "checkout", "-q", "mm/memory_hotplug.c")
    world.prepare()
    assert world.subjects()[-1] == "mm: change 1"


def test_untracked_file_in_the_way_stops(world: World) -> None:
    world.prepare()
    write(world.linux, {"mm/mhp_kunit/second_kunit.c": "mine\n"})
    write(world.kunit, {"second_kunit.c": "int second;\n"})
    assert "second_kunit.c" in refuse(world)


def test_edit_that_holds_the_new_content_accepted(world: World) -> None:
    world.prepare()
    for top in (world.kunit, world.linux / "mm/mhp_kunit"):
        write(top, {"first_kunit.c": "int same;\n", "new_kunit.c": "int new;\n"})
    world.prepare()
    assert git(world.linux, "status", "--porcelain") == ""


def test_own_commit_replayed_on_changed_suites(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mine")
    before = mtimes(world.linux)
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    world.prepare()
    assert world.subjects()[-3:] == ["kunit: the suites", "mm: change 1", "mine"]
    assert changed_times(before, mtimes(world.linux)) == {"mm/mhp_kunit/first_kunit.c"}
    world.prepare()
    assert git(world.linux, "status", "--porcelain") == ""
    assert git(world.linux, "log", "-1", "--format=%an %cn") == "A U Thor C O Mitter"


def test_own_amended_patch_replayed(world: World) -> None:
    world.mm_patch(1)
    world.mm_patch(2)
    world.prepare()
    edit(world.linux / "mm/memory_hotplug.c", "return 20 + 1;", "return 20 + 9;")
    git(world.linux, "commit", "-q", "-a", "--amend", "--no-edit")
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    world.prepare()
    assert world.subjects()[-2:] == ["mm: change 1", "mm: change 2"]
    assert "return 20 + 9;" in world.read("mm/memory_hotplug.c")


def test_own_commit_stops_a_changed_series(world: World) -> None:
    world.prepare()
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mine")
    world.mm_patch(1)
    assert "refresh" in refuse(world)
    world.prepare(drop_edits=True)
    assert world.subjects()[-1] == "mm: change 1"
    kept = git(world.linux, "for-each-ref", "--format=%(refname)", "refs/mhp/discarded")
    assert "mine" == git(world.linux, "show", "-s", "--format=%s", kept)


def test_own_commit_stops_none(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mine")
    assert "refresh" in refuse(world, series=False)


def test_own_commit_equal_to_changed_series_accepted(world: World) -> None:
    world.prepare()
    world.commit("mm/memory_hotplug.c", "return 10;", "return 10 + 1;", "mm: change 1")
    world.mm_patch(1)
    world.prepare()
    assert world.subjects()[-2:] == ["kunit: the suites", "mm: change 1"]


def test_own_commit_that_conflicts_with_changed_shims_stops(world: World) -> None:
    world.prepare()
    world.commit("mm/Makefile", "obj-y", "my-y", "mine")
    world.patch(world.shims, "0001-hook.patch", {"mm/Makefile": ("obj-y := ", "obj-y += mhp_kunit/ ")}, "hook")
    assert "mine" in refuse(world)


def test_head_below_the_suites_stops(world: World) -> None:
    world.prepare()
    git(world.linux, "checkout", "-q", "--detach", "HEAD^")
    assert "no longer contains" in refuse(world)
    git(world.linux, "switch", "-q", tree.BRANCH)
    world.prepare()


def test_rebase_under_way_stops_a_change(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    git(world.linux, "-c", "sequence.editor=sed -i s/pick/edit/", "rebase", "-q", "-i", "HEAD^")
    world.prepare()
    write(world.kunit, {"first_kunit.c": "int changed;\n"})
    assert "rebase" in refuse(world)


def test_discard_keeps_a_copy(world: World) -> None:
    world.prepare()
    edit(world.linux / "mm/page_alloc.c", "return 3;", "return 33;")
    write(world.linux, {"mm/mhp_kunit/second_kunit.c": "mine\n"})
    write(world.kunit, {"second_kunit.c": "int second;\n"})
    world.prepare(drop_edits=True)
    assert git(world.linux, "status", "--porcelain") == ""
    assert world.read("mm/mhp_kunit/second_kunit.c") == "int second;\n"
    (patch,) = world.build.glob("*/discarded-*.patch")
    assert "return 33;" in patch.read_text(encoding="utf-8")
    (aside,) = world.build.glob("*/discarded-*/mm/mhp_kunit/second_kunit.c")
    assert aside.read_text(encoding="utf-8") == "mine\n"


def test_none_is_remembered_until_apply(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    world.prepare(series=False)
    assert world.subjects()[-1] == "kunit: the suites"
    prepared = world.prepare()
    assert world.subjects()[-1] == "kunit: the suites"
    assert "switched off" in "\n".join(series.describe(prepared))
    world.prepare(series=True)
    assert world.subjects()[-1] == "mm: change 1"


def test_none_refused_is_not_remembered(world: World) -> None:
    world.mm_patch(1)
    world.prepare()
    edit(world.linux / "mm/memory_hotplug.c", "return 10 + 1;", "return 5;")
    refuse(world, series=False)
    world.prepare()
    assert world.subjects()[-1] == "mm: change 1"


def test_drift_is_reported(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.mm_patch(1)
    edit(world.kernel / "mm/memory_hotplug.c", "int hotplug_0(", "int a;\nint b;\nint hotplug_0(")
    git(world.kernel, "commit", "-q", "-a", "-m", "drift")
    prepared = world.prepare()
    assert "offset 2 lines" in "\n".join(series.describe(prepared))
    assert capsys.readouterr().err
    assert "return 10 + 1;" in world.read("mm/memory_hotplug.c")


def test_context_that_changed_is_reported(world: World) -> None:
    world.mm_patch(1)
    git(world.kernel, "checkout", "-q", "--orphan", "other")  # no blob in common: no three-way merge
    edit(world.kernel / "mm/memory_hotplug.c", "int hotplug_7(", "int renamed_7(")
    git(world.kernel, "commit", "-q", "-a", "-m", "other context")
    git(world.kernel, "branch", "-q", "-D", "master")
    git(world.kernel, "reflog", "expire", "--expire=now", "--all")
    git(world.kernel, "gc", "-q", "--prune=now")
    notes = "\n".join(series.describe(world.prepare()))
    assert "only 2 and" in notes and "mm/memory_hotplug.c" in notes


def test_nearest_shims_are_used(world: World) -> None:
    (world.project / "arch-shims/v6.6").mkdir()
    (world.project / "arch-shims/v7.3").mkdir()
    assert world.prepare().base == "v6.12"
    for version, shims in (((6, 18), "v6.12"), ((6, 6), "v6.6"), ((5, 1), "v6.6"), ((7, 9), "v7.3")):
        write(world.kernel, {"Makefile": f"VERSION = {version[0]}\nPATCHLEVEL = {version[1]}\n"})
        assert world.prepare().base == shims


def test_state_of_an_older_and_a_newer_version_is_read(world: World) -> None:
    world.prepare()
    file = world.linux.parent / state.STATE_FILE
    raw = json.loads(file.read_text(encoding="utf-8"))
    del raw["kernel"]
    raw["added_later"] = 1
    file.write_text(json.dumps(raw), encoding="utf-8")
    assert world.prepare().base == "v6.12"
    known = state.load(world.linux.parent)
    assert known and known.kernel == (6, 12)


def test_runs_with_nothing_to_prepare_go_side_by_side(world: World) -> None:
    prepared = world.prepare()
    world.commit("mm/page_alloc.c", "return 3;", "return 33;", "mine")
    with tree.using(prepared):
        assert world.prepare() == prepared


def test_state_lost_stops_and_keeps_the_tree(world: World) -> None:
    world.prepare()
    (world.linux.parent / state.STATE_FILE).write_text("{", encoding="utf-8")
    assert "state.json" in refuse(world)

# SPDX-License-Identifier: GPL-2.0
"""The prepared tree: a kernel with the shims, the suites and the mm series on top, as git commits.

prepare() makes it, and brings it up to date when anything it was made from has changed. The user works
in it: uncommitted edits and commits of theirs on top of the series survive, or prepare() stops.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mhp import ahead, base, chain, discard, ignores, inputs, nearest, paths, series_files, source, state, usertree, worktree
from mhp.exits import Exit, MhpError
from mhp.git import Git, clean_environment
from mhp.lock import locked
from mhp.patches import only_moved
from mhp.progress import say
from mhp.run import check
from mhp.state import Link, State
from mhp.usertree import UserTree

BRANCH = "mhp"
_NEEDED_MIB = 3000
# Never a repack of the whole kernel in the middle of someone's work; and a quick `git status`: what it remembers is of
# use only when it is asked for the same kind of list each time.
_SETTINGS = """\
[gc]
	auto = 0
[maintenance]
	auto = false
[index]
	version = 4
[core]
	untrackedCache = true
[status]
	showUntrackedFiles = all
"""


@dataclass(frozen=True)
class PreparedTree:
    """A prepared tree: its work tree `path`, the directory `build` it is in, the shims `base` in use
    ("v6.12"), and for people, in `origin`, which kernel source it is."""

    id: str
    path: Path
    build: Path
    base: str
    origin: str

    @property
    def git(self) -> Git:
        """Its repository."""
        return Git(self.path / ".git", worktree=self.path)


def add_tree_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --kdir DIR (default: $LINUX), for prepare()."""
    linux = os.environ.get("LINUX")
    parser.add_argument(
        "--kdir", metavar="DIR", type=Path, default=Path(linux) if linux else None,
        help="a kernel of yours to work on: a git checkout, with its uncommitted changes of tracked "
        "files but without untracked ones, or an unpacked tree. It is only read. Default: $LINUX, "
        f"else Debian's {source.PACKAGE}")


def prepare(kdir: Path | None = None, series: bool | None = None, *, drop_edits: bool = False,
            update_base: bool = False, look: bool = False, as_far: bool = False) -> PreparedTree:
    """Make the prepared tree, or bring it up to date, and say where it is.

    kdir: the user's kernel; None for Debian's. series: with or without mm-patches/ on top, remembered
    for the next time; None for as it was (at first: with on Debian's, without on the user's). drop_edits: the
    user's edits and commits in the prepared tree go (a copy is kept). update_base: take the newest package that apt knows.
    look: the caller is going to ask what is edited in the tree, see ahead.py. as_far: the caller works on the kernel
    by itself, so shims and patches that do not apply are told and no error: a tree that is on that kernel stays as it
    is, any other is made of what applies.

    Raises MhpError: BROKEN_BASE (no source; a patch does not apply), UNEXPORTED (edits in the prepared
    tree would be lost), USAGE (kdir is no kernel). What was there before then stays as it is.
    """
    user, place = _place(kdir)
    if look:
        ahead.begin(_git(place))
    with locked(place, shared=True):
        known = _known(place)
        commit = usertree.current(user, _git(place), place) if known and user else None
        if (known and not (drop_edits or update_base)
                and _is_current(place, known, commit or known.base, series)):
            return _prepared(place, known)
    ahead.drop()
    with locked(place):
        old = _repaired(place, drop_edits)
        known = old or _create(place, user, user is None if series is None else series, as_far)
        fresh = _follow(_git(place), known, commit or known.base, update_base)
        fresh = replace(fresh, series=known.series if series is None else series)
        prepared = _prepared(place, _update(place, known, fresh, drop_edits, as_far))
        if old is None:
            ahead.begin(prepared.git, remember=True)
            if not look:
                ahead.drop()
        return prepared


def existing(kdir: Path | None = None) -> PreparedTree:
    """The prepared tree as it is, without bringing it up to date; made when there is none."""
    _user, place = _place(kdir)
    with locked(place):
        known = _repaired(place)
    return _prepared(place, known) if known else prepare(kdir)


@contextmanager
def using(tree: PreparedTree) -> Iterator[None]:
    """Keep the prepared tree as it is while the block runs, for builds: prepare() of others waits.

    The caller must not call prepare() inside.
    """
    with locked(tree.build, shared=True):
        yield


def read_state(tree: PreparedTree) -> State:
    """What a prepared tree was made from."""
    known = state.load(tree.build)
    assert known
    return known


def own_commits(git: Git, known: State) -> list[str]:
    """The user's work above the suites: all commits after the part that prepare() owns, oldest first.

    Raises MhpError(UNEXPORTED) when HEAD does not stand on that part any more, or holds merges.
    """
    _check_standing(git, known)
    commits = git.text("rev-list", "--reverse", "--topo-order", f"{known.below_mm}..HEAD").split()
    if git.text("rev-list", "--merges", f"{known.below_mm}..HEAD"):
        raise MhpError(Exit.UNEXPORTED, f"{git.worktree}: there are merges above the suites; a series of "
                       f"patches is linear. `git rebase {known.below_mm[:12]}` there makes it so")
    return commits


def say_drift(link: Link) -> None:
    """Tell the user of a patch that needed more than other line numbers."""
    notes = [note for note in link.notes if not only_moved(note)]
    if notes:
        say(f"{link.name} applied, but not as it was written:\n{worktree.listing(notes)}")


def _check_standing(git: Git, known: State) -> None:
    below = known.below_mm
    if git.run("merge-base", "--is-ancestor", below, "HEAD").status != 0:
        raise MhpError(Exit.UNEXPORTED, f"HEAD of {git.worktree} no longer contains commit {below[:12]}, "
                       "the last one below the mm series. Go back to it "
                       f"(`git -C {git.worktree} switch {BRANCH}`), or drop what is there: "
                       "`scripts/series apply --discard` (a copy is kept)")


def _git(place: Path) -> Git:
    return Git(place / paths.TREE / ".git", worktree=place / paths.TREE)


def _known(place: Path) -> State | None:
    """The state of a tree that exists, as it was saved; None when there is no tree."""
    if not (place / paths.TREE / ".git").is_dir():
        return None
    known = state.load(place)
    if known is None:
        raise MhpError(Exit.UNEXPORTED, f"{place / state.STATE_FILE} is missing or damaged. Save what you "
                       f"edited in {place / paths.TREE}, then remove that directory; it is made anew")
    return known


def _place(kdir: Path | None) -> tuple[UserTree | None, Path]:
    user = usertree.find(kdir) if kdir is not None else None
    return user, paths.build_root() / (user.id if user else paths.DEFAULT_BASE)


def _repaired(place: Path, drop_edits: bool = False) -> State | None:
    """Like _known(), with what a stopped run left half-way put right. The caller holds the lock."""
    known = _known(place)
    if known is None:
        return None
    if known.move:
        if not drop_edits:
            worktree.repair(_git(place), *known.move)
        known.move = None
        state.save(place, known)
    _git(place).sweep()
    series_files.finish(place, paths.MM_PATCHES / known.shims)
    return known


def _prepared(place: Path, known: State) -> PreparedTree:
    return PreparedTree(place.name, place / paths.TREE, place, known.shims, known.origin)


def _is_current(place: Path, known: State, commit: str, series: bool | None) -> bool:
    """Whether there is nothing to do, found out with as little work as possible."""
    git = _git(place)
    if known.move or series_files.pending(place) or series not in (None, known.series):
        return False
    if commit != known.base or not known.kdir and known.seen.get("lists") != source.lists_stamp():
        return False
    if known.kernel == (0, 0) or not known.tidied:
        return False
    shims = nearest.shims_for(known.kernel)
    if _fingerprint(known.base, shims, inputs.steps(shims, known.series)) != known.inputs:
        return False
    if git.resolve("HEAD") != known.tip:
        _check_standing(git, known)
    return True


def _fingerprint(commit: str, shims: str, steps: list[inputs.Step]) -> str:
    return inputs.digest(commit, shims, *(f"{step.part} {step.name} {step.key}" for step in steps))


def _create(place: Path, user: UserTree | None, series: bool, as_far: bool) -> State:
    """Make the tree beside its place and put it there when it is complete."""
    for left_over in place.glob(f"{paths.TREE}.new.*"):
        say(f"removing what a stopped run left in {left_over}")
        shutil.rmtree(left_over, ignore_errors=True)
    if shutil.disk_usage(place).free >> 20 < _NEEDED_MIB:
        raise MhpError(Exit.INTERNAL, f"{place}: a prepared tree needs {_NEEDED_MIB} MiB, and "
                       f"{shutil.disk_usage(place).free >> 20} are free. MHP_BUILD puts it elsewhere")
    half = place / f"{paths.TREE}.new.{os.getpid()}"
    git = Git(half / ".git", worktree=half)
    try:
        check(["git", "init", "-q", f"--initial-branch={BRANCH}", "--template=",
               f"--object-format={user.object_format if user else 'sha1'}", half], env=clean_environment())
        with (git.gitdir / "config").open("a", encoding="utf-8") as config:
            config.write(_SETTINGS)
        empty = State(series=series, origin=str(user.path) if user else "", kdir=str(user.path) if user else "")
        fresh = _follow(git, empty, usertree.current(user, git, place) if user else "", False)
        say(nearest.about(fresh))
        steps = inputs.steps(fresh.shims, series)
        fresh = _built(git, fresh, steps, State(), as_far)
        for link in fresh.chain:
            say_drift(link)
        git.check("update-ref", "HEAD", fresh.tip)
        worktree.checkout(git, fresh.tip)
        state.save(place, fresh)
        half.rename(place / paths.TREE)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    return fresh


def _follow(git: Git, known: State, commit: str, newest: bool) -> State:
    """The state with its kernel source as it is today, the commit of which is in the repository then.

    `commit` is what a user's tree is at, or the present base.
    """
    if known.kdir:
        fresh = replace(known, base=commit)
        if commit != known.base:
            usertree.check_clean(git, commit, known.kdir)
    elif known.base and not newest:
        fresh = replace(known, base=ignores.tidy(git, known.base), seen=_look_for_newer(known))
    else:
        fresh = _take_package(git, known, newest)
    kernel = known.kernel if fresh.base == known.base and known.kernel != (0, 0) else _version(git, fresh.base)
    return replace(fresh, kernel=kernel, shims=nearest.shims_for(kernel), tidied=True)


def _take_package(git: Git, known: State, newest: bool) -> State:
    tarball = source.find_or_fetch(newest)
    seen = {"lists": source.lists_stamp(), "version": tarball.version}
    title = f"{source.PACKAGE} {tarball.version}"
    if tarball.version == known.version:
        say(f"{title} is the newest that apt knows")
        return replace(known, seen=seen)
    commit = ignores.tidy(git, base.take(git, tarball, f"{title}\n"))
    return replace(known, origin=title, version=tarball.version, base=commit, seen=seen)


def _look_for_newer(known: State) -> dict[str, str]:
    """Once for each change of apt's lists: tell the user of a newer kernel source."""
    lists = source.lists_stamp()
    if known.seen.get("lists") == lists:
        return known.seen
    version = source.known_version() or ""
    if source.is_newer(version, known.version):
        say(f"{source.PACKAGE} {version} is out; the prepared tree is from {known.version}. "
            "`scripts/series apply --update-base` takes it")
    return {"lists": lists, "version": version}


def _version(git: Git, commit: str) -> tuple[int, int]:
    makefile = git.run("cat-file", "blob", f"{commit}:Makefile").text
    version = usertree.parse_version(makefile)
    if version is None:
        raise MhpError(Exit.BROKEN_BASE, "the kernel's Makefile has no VERSION and PATCHLEVEL")
    return version


def _update(place: Path, known: State, fresh: State, drop_edits: bool, as_far: bool) -> State:
    """Bring an existing tree from what it was made from, `known`, to what it should be, `fresh`; see prepare()."""
    git = _git(place)
    steps = inputs.steps(fresh.shims, fresh.series)
    fingerprint = _fingerprint(fresh.base, fresh.shims, steps)
    head = git.text("rev-parse", "HEAD")
    if fingerprint == known.inputs and not drop_edits:
        if head != known.tip:
            _check_standing(git, known)
        state.save(place, fresh)
        return fresh
    if as_far and known.partial == fingerprint:
        say("not all shims and patches of ours apply to this kernel; it is looked at without those")
        return known
    if (operation := worktree.unfinished(git)) is not None:
        raise MhpError(Exit.UNEXPORTED, f"a {operation} is under way in {git.worktree}, and the tree must "
                       f"change. Finish it, or give it up with `git {operation.split()[0]} --abort`")
    if nearest.about(fresh) != nearest.about(known):
        say(nearest.about(fresh))
    pruned = not git.existing([known.base])
    fresh = _built(git, fresh, steps, State() if pruned else known, as_far)
    if fresh.partial and fresh.base == known.base:
        return known
    for link in fresh.chain:
        if link not in known.chain:
            say_drift(link)
    if pruned:
        _move(place, git, known, _pruned_tree(git, known, head), fresh.tip)
    elif drop_edits:
        discard.save(place, git, head, known, fresh.tip)
        target = fresh.tip
        state.save(place, replace(known, move=None))
        worktree.force(git, target)
    else:
        target = _target(git, head, known, fresh)
        if target != head:
            _move(place, git, known, head, target)
    state.save(place, fresh)
    return fresh


def _built(git: Git, fresh: State, steps: list[inputs.Step], before: State, as_far: bool) -> State:
    """The state with the commits for the steps; with as_far fewer when one does not apply, which is told."""
    fingerprint = _fingerprint(fresh.base, fresh.shims, steps)
    try:
        return replace(fresh, inputs=fingerprint, partial="", chain=chain.build(git, fresh.base, steps, before))
    except MhpError as err:
        if err.status != Exit.BROKEN_BASE:
            raise
        if not as_far:
            raise MhpError(err.status, nearest.refusal(fresh, str(err))) from err
        say(f"{err}\nThe kernel is looked at without that")
    return replace(fresh, inputs="", partial=fingerprint, chain=chain.as_far(git, fresh.base, steps, before)[0])


def _move(place: Path, git: Git, known: State, old: str, new: str) -> None:
    worktree.prepare_move(git, old, new)
    state.save(place, replace(known, move=(old, new)))
    try:
        worktree.move(git, old, new)
    except MhpError as err:
        if err.status == Exit.UNEXPORTED:
            state.save(place, known)
        raise


def _pruned_tree(git: Git, known: State, head: str) -> str:
    """What stands in for HEAD when the kernel commit below it is gone from the user's repository.

    The index still lists every file of it. That is enough when nothing was committed or staged on top.
    """
    listed = git.text("write-tree", "--missing-ok")
    if head == known.tip and f"tree {listed}" == git.text("cat-file", "commit", head).splitlines()[0]:
        return listed
    raise MhpError(Exit.UNEXPORTED, f"commit {known.base[:12]} of {known.kdir}, which {git.worktree} stands "
                   "on, is gone (git gc), and you have commits or staged edits on top. Save them (`git show`, "
                   "or copy the files), then remove that directory; it is made anew")


def _target(git: Git, head: str, known: State, fresh: State) -> str:
    """Where HEAD must go so that the user's commits are kept; MhpError(UNEXPORTED) if they cannot be."""
    if head == known.tip or git.resolve(f"{head}^{{tree}}") == git.resolve(f"{fresh.tip}^{{tree}}"):
        return fresh.tip
    own = own_commits(git, known)
    before, after = known.part("mm"), fresh.part("mm")
    if [link.key for link in before] != [link.key for link in after]:
        raise MhpError(Exit.UNEXPORTED, f"{git.worktree} holds mm commits that are not in "
                       f"mm-patches/{fresh.shims}/, and mm-patches/ itself (or whether it is used) has "
                       "changed. `scripts/series refresh` writes your commits to mm-patches/; "
                       "`scripts/series apply --discard` drops them (a copy is kept)")
    same = 0
    while same < min(len(own), len(before)) and own[same] == before[same].commit:
        same += 1
    onto = after[same - 1].commit if same else fresh.below_mm
    try:
        return chain.replay(git, own[same:], onto)
    except MhpError as err:
        raise MhpError(Exit.UNEXPORTED, f"your commits in {git.worktree} do not apply on top of the changed "
                       f"shims and suites:\n{err}\nNothing was touched. Export them first "
                       "(`scripts/series refresh`), with the old shims and suites in place") from err

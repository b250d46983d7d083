# SPDX-License-Identifier: GPL-2.0
"""Where the default kernel source comes from: Debian's linux-source package.

The tarball in /usr/src is used when the package is installed. Otherwise the package is downloaded to
build/src/ ($MHP_SOURCES) and unpacked there: that needs no root and leaves the system as it is. A package
(.deb) that the user puts there is used too, so that a machine without a network can be served.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mhp import paths
from mhp.exits import Exit, MhpError
from mhp.lock import locked
from mhp.progress import Progress, say
from mhp.run import Arg, check, run

PACKAGE = f"linux-source-{paths.DEFAULT_BASE.removeprefix('v')}"
_INSTALLED = Path("/usr/src", f"{PACKAGE}.tar.xz")
_BASE = ".base"
# Of an installed tarball that no package database knows.
UNKNOWN_VERSION = "0"
_APT_LISTS = Path("/var/lib/apt/lists")
_GIVE_YOUR_OWN = ("Give a kernel tree of your own with LINUX=DIR or --kdir DIR, or put a "
                  f"{PACKAGE}_*.deb into {{src}}")


@dataclass(frozen=True)
class Tarball:
    """A kernel source tarball (.tar.xz) and the version of the Debian package it is from."""

    path: Path
    version: str

    @property
    def base(self) -> Path:
        """Where it is kept as git has it, once it was taken into git (base.py)."""
        return paths.sources() / f"{PACKAGE}_{self.version.replace('/', '_')}{_BASE}"


def find_or_fetch(newest: bool = False) -> Tarball:
    """The tarball to prepare a tree from; with `newest`, the newest one that apt knows of.

    Raises MhpError(BROKEN_BASE) when there is none and none can be had.
    """
    src = paths.sources()
    with locked(src):
        for left_over in src.glob("fetch.*"):
            shutil.rmtree(left_over, ignore_errors=True)
        for deb in src.glob(f"{PACKAGE}_*.deb"):
            _unpack(deb, src)
        have = [Tarball(path, path.name.removeprefix(f"{PACKAGE}_").removesuffix(".tar.xz"))
                for path in src.glob(f"{PACKAGE}_*.tar.xz")]
        if _INSTALLED.is_file():
            have.append(Tarball(_INSTALLED, _installed_version()))
        best = _newest(have)
        wanted = known_version() if newest else None
        if best and not (wanted and is_newer(wanted, best.version)):
            return best
        return _download(src)


def known_version() -> str | None:
    """The package's version that apt would install today, from the lists it has; None if unknown."""
    if not shutil.which("apt-cache"):
        return None
    for line in run(["apt-cache", "policy", PACKAGE], timeout=60).text.splitlines():
        if line.strip().startswith("Candidate:") and "(none)" not in line:
            return line.split()[-1]
    return None


def lists_stamp() -> str:
    """Changes when apt's lists or the installed source change: ask known_version() again then."""
    stamps = []
    for path in (_APT_LISTS, _INSTALLED):
        try:
            stamps.append(str(path.stat().st_mtime_ns))
        except OSError:
            stamps.append("-")
    return " ".join(stamps)


def is_newer(one: str, other: str) -> bool:
    """Whether a Debian version is newer than another; an empty one is older than any."""
    return run(["dpkg", "--compare-versions", one, "gt", other]).status == 0


def _newest(have: Sequence[Tarball]) -> Tarball | None:
    best: Tarball | None = None
    for one in have:
        if best is None or is_newer(one.version, best.version):
            best = one
    return best


def _installed_version() -> str:
    done = run(["dpkg-query", "-W", "-f", "${Version}", PACKAGE])
    return done.text if done.status == 0 and done.text else UNKNOWN_VERSION


def _unpack(deb: Path, src: Path) -> Tarball:
    """Take the tarball out of a package and drop the package."""
    version = check(["dpkg-deb", "-f", deb, "Version"], status=Exit.BROKEN_BASE).text
    target = src / f"{PACKAGE}_{version.replace('/', '_')}.tar.xz"
    with tempfile.TemporaryDirectory(prefix="fetch.", dir=src) as directory:
        check(["dpkg-deb", "-x", deb, directory], status=Exit.BROKEN_BASE)
        inside = Path(directory, "usr/src", _INSTALLED.name)
        if inside.is_symlink() or not inside.is_file():
            raise MhpError(Exit.BROKEN_BASE, f"{deb}: holds no {_INSTALLED}. Remove it from {src}")
        inside.replace(target)
    deb.unlink()
    return Tarball(target, version)


def _download(src: Path) -> Tarball:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise MhpError(Exit.BROKEN_BASE, "the default kernel source is a Debian package, and this "
                       "system has no apt-get. " + _GIVE_YOUR_OWN.format(src=src))
    with tempfile.TemporaryDirectory(prefix="fetch.", dir=src) as directory:
        place = Path(directory)
        apt: list[Arg] = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
        if not _try_download(apt, place):
            # Lists that are missing or out of date. Root is not needed for lists of our own.
            apt += _own_lists(place)
            say(f"{PACKAGE}: not to be had with apt's present lists; getting fresh ones")
            run([*apt, "update"], timeout=600)
            if not _try_download(apt, place):
                tail = (place / "apt.log").read_text(errors="backslashreplace").strip()
                raise MhpError(Exit.BROKEN_BASE, f"{PACKAGE} cannot be downloaded:\n{tail}\n"
                               "Check the network and apt's sources (on Debian 12 it is in "
                               "bookworm-security). " + _GIVE_YOUR_OWN.format(src=src))
        (deb,) = place.glob("*.deb")
        package = src / deb.name.replace("%3a", ":")
        deb.replace(package)
    tarball = _unpack(package, src)
    for old in src.glob(f"{PACKAGE}_*.tar.xz"):
        if old != tarball.path:
            old.unlink()
    for old in src.glob(f"{PACKAGE}_*{_BASE}"):
        if old != tarball.base:
            shutil.rmtree(old)
    return tarball


def _own_lists(place: Path) -> list[Arg]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (place / name).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State={place}/state", "-o", "Dir::State::status=/var/lib/dpkg/status",
            "-o", f"Dir::Cache={place}/cache", "-o", "Acquire::Languages=none"]


def _try_download(apt: Sequence[Arg], place: Path) -> bool:
    """Download the package into `place`, which apt checks by its hash; False when that fails."""
    uri = run([*apt, "--print-uris", "download", PACKAGE], timeout=60)
    if uri.status != 0 or not uri.text:
        (place / "apt.log").write_bytes(uri.stderr)
        return False
    _uri, name, size, *_hash = uri.text.splitlines()[-1].split()
    total = max(1, int(size) >> 20)
    with (Progress(f"download {name}", total, "MiB") as progress,
          (place / "apt.log").open("wb") as log,
          subprocess.Popen([str(arg) for arg in (*apt, "download", PACKAGE)], cwd=place,
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log) as apt_get):
        try:
            while apt_get.poll() is None:
                progress.at(sum(path.stat().st_size for path in place.glob("*.deb*")) >> 20)
                time.sleep(0.1)
        finally:
            apt_get.kill()
    return apt_get.returncode == 0 and any(place.glob("*.deb"))

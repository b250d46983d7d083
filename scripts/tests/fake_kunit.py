#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Stands in for tools/testing/kunit/kunit.py in tests of what drives it; it builds and boots nothing.

The environment says what happens:
    FAKE_LOG     the guest's log, a file; several with ":" are taken in turn, one a boot, or one each by guests
                 that share the suites
    FAKE_MODE    what goes wrong, words: build_error, hang (the guest ignores SIGTERM), daemon (a process
                 of another session stays), flood (the log grows for ever), slow_build, no_json
    FAKE_LOST    options that vanish from .config, with commas
    FAKE_CALLS   a file that gets each command line, as a JSON list
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

MODE = os.environ.get("FAKE_MODE", "").split()
# Ignores what ends it politely, and so does the child that it starts.
STUBBORN = ("import signal, subprocess, sys, time\n"
            "for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)\n"
            "if len(sys.argv) > 1: subprocess.Popen([sys.executable, '-c', sys.argv[1], *sys.argv[2:]],"
            " start_new_session=True)\n"
            "time.sleep(600)\n")


def parser() -> argparse.ArgumentParser:
    """Upstream's command line, as far as tests use it."""
    top = argparse.ArgumentParser()
    for flag in ("build_dir", "arch", "jobs", "filter", "run_isolated", "cross_compile", "qemu_config"):
        top.add_argument(f"--{flag}")
    for flag in ("make_options", "kunitconfig", "kconfig_add", "kernel_args"):
        top.add_argument(f"--{flag}", action="append", default=[])
    top.add_argument("--timeout", type=int, default=300)
    top.add_argument("--json", nargs="?", const="stdout")
    top.add_argument("--raw_output", nargs="?", const="all")
    top.add_argument("--list_tests", action="store_true")
    top.add_argument("--brand_new_flag")
    top.add_argument("target", nargs="?", default="")
    return top


def options(lines: list[str]) -> dict[str, str]:
    """Name and line of each option."""
    return {found[1]: line for line in lines if (found := re.search(r"CONFIG_(\w+)", line))}


def configure(args: argparse.Namespace, build: Path) -> None:
    """Make .config of what is asked for."""
    asked = options([line for path in args.kunitconfig for line in Path(path).read_text().splitlines()
                     if not line.startswith("# ") or "is not set" in line] + args.kconfig_add)
    for name in os.environ.get("FAKE_LOST", "").split(","):
        asked.pop(name, None)
    build.mkdir(exist_ok=True)
    (build / ".config").write_text("".join(f"{line}\n" for line in asked.values()))


def compile_kernel(build: Path) -> None:
    """Make the kernel's program, or fail."""
    if "slow_build" in MODE:
        subprocess.run([sys.executable, "-c", STUBBORN], check=False)
    if "build_error" in MODE:
        print("mm/memory_hotplug.c:12:5: error: expected ';' before 'return'\n   12 |     return 0\n"
              "make[2]: *** [Makefile:1: mm/memory_hotplug.o] Error 1", file=sys.stderr)
        sys.exit(1)
    (build / "linux").write_text(str(time.time_ns()))


def write_json(text: str, path: str) -> None:
    """A small version of upstream's results."""
    groups: dict[str, list[dict[str, str]]] = {}
    suite = ""
    for line in text.splitlines():
        line = re.sub(r"^\[ *\d+\.\d+\] ", "", line)
        if found := re.match(r" +# Subtest: (\S+)", line):
            suite = found[1]
            groups[suite] = []
        elif found := re.match(r"    (not )?ok \d+ (\S+)( # SKIP)?", line):
            status = "FAIL" if found[1] else "SKIP" if found[3] else "PASS"
            groups[suite].append({"name": found[2], "status": status})
    Path(path).write_text(json.dumps({"name": "all", "test_cases": [], "sub_groups": [
        {"name": name, "sub_groups": [], "test_cases": cases} for name, cases in groups.items()]}))


def boot(args: argparse.Namespace, build: Path) -> int:
    """Let the "guest" print its log."""
    count = build / "boots"
    number = int(count.read_text()) if count.exists() else int(build.name) if build.parent.name == "shares" else 0
    count.write_text(str(number + 1))
    logs = os.environ["FAKE_LOG"].split(":")
    data = Path(logs[number % len(logs)]).read_bytes()
    (build / "test.log").write_bytes(data)
    if "daemon" in MODE:
        subprocess.Popen([sys.executable, "-c", STUBBORN, STUBBORN], start_new_session=True,
                         stdout=subprocess.DEVNULL)
    if "flood" in MODE:
        with (build / "test.log").open("ab") as log:
            while True:
                log.write(b"x" * 100000)
                log.flush()
    if "hang" in MODE and not re.search(r"^reboot: System halted$", data.decode(errors="replace"), re.M):
        guest = subprocess.Popen([sys.executable, "-c", STUBBORN])
        time.sleep(args.timeout)
        guest.send_signal(signal.SIGTERM)
        guest.wait()
    text = data.decode(errors="backslashreplace")
    if args.list_tests:
        print("KTAP version 1\nfirst.one\nfirst.two\nsecond.one")
    elif args.json and "no_json" not in MODE:
        write_json(text, args.json)
    print(f"Testing complete. {args.target}")
    return 1 if re.search(r"^ *(\[.*\] )?not ok", text, re.M) else 0


def main() -> int:
    """As upstream's."""
    args = parser().parse_args(sys.argv[2:])
    subcommand = sys.argv[1]
    if calls := os.environ.get("FAKE_CALLS"):
        with open(calls, "a", encoding="utf-8") as file:
            file.write(json.dumps(sys.argv[1:]) + "\n")
    if subcommand == "parse":
        if args.json:
            write_json(Path(args.target).read_text(errors="backslashreplace"), args.json)
        return 0
    build = Path(args.build_dir)
    if subcommand in ("run", "config", "build"):
        configure(args, build)
    if subcommand in ("run", "build"):
        compile_kernel(build)
    return boot(args, build) if subcommand in ("run", "exec") else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-2.0
"""The report for a terminal."""

from collections.abc import Iterator, Mapping, Sequence

from mhp.coverage.judge import Judged
from mhp.coverage.model import sum_lines, targets

_SHOWN = 40


def ranges(numbers: Sequence[int]) -> str:
    """Line numbers, short: "3-5, 9"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _by_file(where: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, number in where:
        found.setdefault(name, []).append(number)
    return found


def lines(judged: Judged, texts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The whole report. texts: the lines of the source files, by name."""
    yield from _files(judged)
    yield from _patches(judged)
    yield from _unreached(judged, texts)
    yield from _rest(judged)


def _files(judged: Judged) -> Iterator[str]:
    width = max(len(file.name) for file in judged.files)
    yield f"{'scope':{width}}  {'lines':>17}  {'branches':>17}  {'functions':>17}"
    for file in judged.files:
        yield f"{file.name:{width}}  " + "  ".join(map(str, file.sums))
    yield f"{'all':{width}}  " + "  ".join(map(str, judged.total))


def _patches(judged: Judged) -> Iterator[str]:
    if not judged.own:
        return
    yield ""
    where = targets(judged.data)
    yield f"{'lines of the series':60}  {'reached':>17}  " + "  ".join(f"{name:>10}" for name in where)
    for own in judged.own:
        mine = [judged.data[name][number] for name, numbers in own.executable.items() for number in numbers]
        by_target = "  ".join(f"{sum(bool(line.counts.get(name)) for line in mine):10}" for name in where)
        yield f"{own.patch.number:3} {own.patch.subject[:56]:56}  {sum_lines(mine)}  {by_target}"
    yield f"{'all':60}  {judged.series}"
    yield f"{'their branches':60}  {judged.series_branches}"


def _unreached(judged: Judged, texts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if judged.unreached:
        yield ""
        yield "lines of the series that never ran:"
        owner = {(name, number): own.patch.number for own in judged.own for name, numbers in own.executable.items()
                 for number in numbers}
        for name, number in judged.unreached[:_SHOWN]:
            yield f"  {name}:{number}: patch {owner[name, number]}: {texts[name][number - 1].strip()}"
        if len(judged.unreached) > _SHOWN:
            yield f"  and {len(judged.unreached) - _SHOWN} more"
    missing = [(own, name, numbers) for own in judged.own for name, numbers in own.uncompiled.items()]
    if missing:
        yield ""
        yield ("code of the series without a counter: no run compiles it, its condition is constant, or gcc merges it with "
               "another line, such as a return; it counts as neither reached nor not:")
        for own, name, numbers in missing:
            yield f"  {name}:{ranges(numbers)}: patch {own.patch.number}"


def _rest(judged: Judged) -> Iterator[str]:
    never = {file.name: file.uncompiled for file in judged.files if file.uncompiled}
    if never:
        yield ""
        yield "functions in scope that no run compiles:"
        for name, functions in never.items():
            yield f"  {name}: {', '.join(functions)}"
    if judged.excluded:
        yield ""
        yield "excluded (coverage/exclusions):"
        for one, count in judged.excluded.items():
            yield f"  {one.what} {one.place} {one.text.pattern}: {count} lines: {one.reason}"
    for what, problems in (("below the goal", judged.below), ("to be mended", judged.stale),
                           ("FAILED", judged.failures)):
        for problem in problems:
            yield f"{what}: {problem}"

# SPDX-License-Identifier: GPL-2.0
"""The reports as files: lcov's .info, Cobertura XML, and HTML by genhtml, which reads .info on Debian 12 and 13."""

import xml.etree.ElementTree as xml
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mhp.coverage.functions import functions
from mhp.coverage.model import Data, Line, Lines, sum_branches, sum_lines, targets
from mhp.exits import Exit
from mhp.run import check
from mhp.state import write_whole

TRACE = "coverage.info"
_SECONDS = 120


def info(tree: Path, data: Data, texts: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The lines of an lcov tracefile: for each target a test of its name, with the lines that it has compiled."""
    for target in targets(data):
        for name in sorted(data):
            lines = {number: line.on(target) for number, line in sorted(data[name].items()) if target in line.counts}
            if lines:
                yield from (f"TN:{target}", f"SF:{tree / name}")
                yield from _functions(lines, texts[name])
                yield from _branches(lines)
                total = sum_lines(lines.values())
                yield from (f"DA:{number},{line.count}" for number, line in lines.items())
                yield from (f"LF:{total.found}", f"LH:{total.hit}", "end_of_record")


def _functions(lines: Lines, text: Sequence[str]) -> Iterator[str]:
    counts = {}
    for one in functions("\n".join(text)):
        mine = [lines[number].count for number in range(one.first, one.last + 1) if number in lines]
        if mine and one.name not in counts:
            # The first line of a function counts its calls.
            counts[one.name] = mine[0]
            yield f"FN:{one.first},{one.name}"
    yield from (f"FNDA:{count},{name}" for name, count in counts.items())
    yield from (f"FNF:{len(counts)}", f"FNH:{sum(map(bool, counts.values()))}")


def _branches(lines: Lines) -> Iterator[str]:
    for number, line in sorted(lines.items()):
        # "-" is a branch of a line that never ran.
        yield from (f"BRDA:{number},0,{i},{count if line.count else '-'}" for i, count in enumerate(line.taken))
    total = sum_branches(lines.values())
    yield from (f"BRF:{total.found}", f"BRH:{total.hit}")


def cobertura(tree: Path, data: Data) -> bytes:
    """Cobertura XML: a package is a directory, a class a file."""
    everything = [line for lines in data.values() for line in lines.values()]
    root = xml.Element("coverage", {**_rates(everything), "version": "1", "timestamp": "0", "complexity": "0"})
    xml.SubElement(xml.SubElement(root, "sources"), "source").text = str(tree)
    packages = xml.SubElement(root, "packages")
    for folder in sorted({str(Path(name).parent) for name in data}):
        inside = {name: lines for name, lines in sorted(data.items()) if str(Path(name).parent) == folder}
        all_lines = [line for lines in inside.values() for line in lines.values()]
        package = xml.SubElement(packages, "package", {"name": folder.replace("/", "."), **_rates(all_lines, True),
                                                       "complexity": "0"})
        classes = xml.SubElement(package, "classes")
        for name, lines in inside.items():
            one = xml.SubElement(classes, "class", {"name": Path(name).name, "filename": name,
                                                    **_rates(list(lines.values()), True), "complexity": "0"})
            xml.SubElement(one, "methods")
            rows = xml.SubElement(one, "lines")
            for number, line in sorted(lines.items()):
                xml.SubElement(rows, "line", _row(number, line))
    xml.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root) + b"\n"


def _rates(lines: Sequence[Line], short: bool = False) -> dict[str, str]:
    by_line, by_branch = sum_lines(lines), sum_branches(lines)
    rates = {"line-rate": f"{by_line.percent / 100:.4f}", "branch-rate": f"{by_branch.percent / 100:.4f}"}
    counts = {"lines-covered": by_line.hit, "lines-valid": by_line.found, "branches-covered": by_branch.hit,
              "branches-valid": by_branch.found}
    return rates if short else {**rates, **{name: str(count) for name, count in counts.items()}}


def _row(number: int, line: Line) -> dict[str, str]:
    row = {"number": str(number), "hits": str(line.count), "branch": "true" if line.taken else "false"}
    if line.taken:
        one = sum_branches([line])
        row["condition-coverage"] = f"{one.percent:.0f}% ({one.hit}/{one.found})"
    return row


def write(place: Path, tree: Path, data: Data, texts: Mapping[str, Sequence[str]]) -> None:
    """Write coverage.info and coverage.xml into a directory."""
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / TRACE, "\n".join([*info(tree, data, texts), ""]).encode(errors="backslashreplace"))
    write_whole(place / "coverage.xml", cobertura(tree, data))


def write_html(place: Path, tree: Path, title: str) -> None:
    """Have genhtml write html/ from coverage.info, which takes as long as all else here."""
    check(["genhtml", "--quiet", "--branch-coverage", "--function-coverage", "--legend", "--show-details",
           "--title", title,
           "--prefix", tree, "--output-directory", place / "html", place / TRACE], timeout=_SECONDS, status=Exit.INTERNAL)

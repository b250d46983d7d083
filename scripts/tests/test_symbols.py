# SPDX-License-Identifier: GPL-2.0
"""Names for addresses in a log."""

from pathlib import Path

import pytest

from mhp import symbols

# Data between two pieces of code, two names for one address, and the end of the code.
MAP = b"""\
0000000060001000 T _stext
0000000060001000 T online_pages
0000000060001400 t helper
0000000060001500 D table
0000000060002000 W offline_pages
0000000060002400 T _etext
0000000060003000 R rodata
"""


def _named(tmp_path: Path, text: bytes, system_map: bytes | None = MAP) -> bytes:
    log, names = tmp_path / "test.log", tmp_path / "System.map"
    log.write_bytes(text)
    if system_map is not None:
        names.write_bytes(system_map)
    symbols.put_into(log, names)
    return log.read_bytes()


@pytest.mark.parametrize("address, name", [
    (0x60001000, b"_stext+0x0/0x400"), (0x600013ff, b"_stext+0x3ff/0x400"), (0x60001400, b"helper+0x0/0x100"),
    (0x60002010, b"offline_pages+0x10/0x400")])
def test_address_of_code_gets_its_name(tmp_path: Path, address: int, name: bytes) -> None:
    assert _named(tmp_path, b"at mm/x.c:1 0x%016x\n" % address) == b"at mm/x.c:1 " + name + b"\n"


@pytest.mark.parametrize("address", [0, 0x60000fff, 0x60001500, 0x60002400, 0x60003000, 0xffffffff60001000])
def test_other_addresses_stay(tmp_path: Path, address: int) -> None:
    text = b"flags 0x%016x\n" % address
    assert _named(tmp_path, text) == text


def test_only_whole_addresses_count(tmp_path: Path) -> None:
    text = b"<60001000> 0x60001000 0x00000000600010001 x0x0000000060001000\n"
    assert _named(tmp_path, text) == text


def test_all_of_a_line_are_named_and_bytes_are_kept(tmp_path: Path) -> None:
    text = b"\xff 0x0000000060001400 <- 0x0000000060002000\r\n"
    assert _named(tmp_path, text) == b"\xff helper+0x0/0x100 <- offline_pages+0x0/0x400\r\n"


def test_without_system_map_the_log_stays(tmp_path: Path) -> None:
    text = b"0x0000000060001400\n"
    assert _named(tmp_path, text, None) == text

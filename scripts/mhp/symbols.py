# SPDX-License-Identifier: GPL-2.0
"""Names for the addresses in a guest's log.

The kernel has no symbol table of its own (.kunitconfig says why), and prints an address where it would print
name+offset/size. System.map, which every link leaves beside vmlinux, has what the table would hold.
"""

import bisect
import re
from pathlib import Path

from mhp.log import LIMIT_BYTES
from mhp.state import write_whole

# As %pS prints an address that it has no name for.
_ADDRESS = re.compile(rb"\b0x([0-9a-f]{16})\b")
_SYMBOL = re.compile(rb"^([0-9a-f]{16}) (\w) (\S+)$", re.MULTILINE)
_TEXT = (b"t", b"T", b"w", b"W")
# What comes behind these is no code.
_ENDS = (b"_etext", b"_einittext")


class Symbols:
    """The code symbols of a System.map; size: up to the next symbol of any kind, as in kallsyms."""

    def __init__(self, system_map: bytes) -> None:
        found = sorted((int(address, 16), kind in _TEXT and name not in _ENDS, name)
                       for address, kind, name in _SYMBOL.findall(system_map))
        self._found = found
        self._addresses = [address for address, _code, _name in found]

    def name(self, address: int) -> bytes | None:
        """name+0xoffset/0xsize for an address in code, in bytes; None for any other."""
        after = bisect.bisect_right(self._addresses, address)
        if not 0 < after < len(self._found):
            return None
        start, size = self._addresses[after - 1], self._addresses[after] - self._addresses[after - 1]
        # Of several names for the same address, one that is code.
        first = bisect.bisect_left(self._addresses, start)
        names = [name for _address, code, name in self._found[first:after] if code]
        return b"%s+0x%x/0x%x" % (names[0], address - start, size) if names else None


def put_into(log: Path, system_map: Path) -> None:
    """Put names in the place of the addresses of code in a log; without a System.map it stays as it is."""
    try:
        with log.open("rb") as file:
            text = file.read(LIMIT_BYTES + 1)
        if len(text) > LIMIT_BYTES or not _ADDRESS.search(text):
            return
        symbols = Symbols(system_map.read_bytes())
    except FileNotFoundError:
        return
    named = _ADDRESS.sub(lambda found: symbols.name(int(found[1], 16)) or found[0], text)
    if named != text:
        write_whole(log, named)

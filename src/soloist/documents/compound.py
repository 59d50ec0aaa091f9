"""Microsoft's compound files (.doc, .xls, .ppt and many more): which of them one is, by the streams it holds.

Only the directory is read ([MS-CFB]); every chain that is followed is bounded, for a file may point in circles.
"""

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple

from soloist.documents.kinds import Found

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER = struct.Struct("<8s16s5H6x9L")
_ENTRY = struct.Struct("<64sHBB3L48x")
_FREE = 0xFFFFFFFA  # this and higher numbers are no sectors
_IN_HEADER = 109  # sectors of the table that the header itself names
_MOST = 4096  # directory sectors, and sectors that name sectors, that are followed
_STREAMS = {"WordDocument": "doc", "Workbook": "xls", "Book": "xls", "PowerPoint Document": "ppt"}
_OTHERS = {
    "EncryptedPackage": "an Office file that is locked with a password",
    "__nameid_version1.0": "an Outlook message",
}


def examine(file: IO[bytes]) -> Found:
    """Which Office file it is; none if it is another compound file, or broken."""
    try:
        names = _Compound(file).top_names()
    except (struct.error, IndexError, ValueError):
        return Found(frozenset(), "a broken Office file")
    endings = {ending for name, ending in _STREAMS.items() if name in names}
    if len(endings) == 1:
        [ending] = endings
        return Found(frozenset(endings), f"a file of type {ending}")
    other = next((text for name, text in _OTHERS.items() if name in names), "a compound file of another program")
    return Found(frozenset(), other)


class _Entry(NamedTuple):
    """A stream or a storage; its neighbours in the same storage, and the first inside it."""

    name: str
    left: int
    right: int
    child: int


class _Compound:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.seek(0)
        header = _HEADER.unpack(file.read(_HEADER.size))
        shift = header[5]
        self._directory, self._next_list, self._lists = header[9], header[14], header[15]
        if shift not in (9, 12):
            raise ValueError("sector size")
        self._size = 1 << shift
        self._table = list(struct.unpack(f"<{_IN_HEADER}L", file.read(4 * _IN_HEADER)))
        self._follow_lists()

    def top_names(self) -> set[str]:
        """What lies in the root; an embedded table of a letter lies deeper and does not count."""
        entries = list(self._entries())
        names: set[str] = set()
        seen: set[int] = set()
        waiting = [entries[0].child]
        while waiting:
            number = waiting.pop()
            if number in seen or number >= len(entries):
                continue
            seen.add(number)
            names.add(entries[number].name)
            waiting += [entries[number].left, entries[number].right]
        return names

    def _entries(self) -> Iterator[_Entry]:
        sector = self._directory
        for _ in range(_MOST):
            if sector >= _FREE:
                return
            for name, length, _, _, left, right, child in _ENTRY.iter_unpack(self._sector(sector)):
                yield _Entry(name[: max(0, length - 2)].decode("utf-16-le", errors="replace"), left, right, child)
            sector = self._after(sector)

    def _follow_lists(self) -> None:
        """In a big file, further sectors name the sectors of the table."""
        sector = self._next_list
        for _ in range(min(self._lists, _MOST)):
            if sector >= _FREE:
                return
            numbers = struct.unpack(f"<{self._size // 4}L", self._sector(sector))
            self._table += numbers[:-1]
            sector = numbers[-1]

    def _after(self, sector: int) -> int:
        block, place = divmod(sector, self._size // 4)
        self._file.seek((self._table[block] + 1) * self._size + 4 * place)
        return int(struct.unpack("<L", self._file.read(4))[0])

    def _sector(self, number: int) -> bytes:
        self._file.seek((number + 1) * self._size)
        block = self._file.read(self._size)
        if len(block) < self._size:
            raise ValueError("cut off")
        return block

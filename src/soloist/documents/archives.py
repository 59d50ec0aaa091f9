"""Zip archives, looked into without trusting them: how many entries, how much they unpack to, what they are.

The limits hold for an archive and for those inside it: 1,000 entries in each, 200 MB and 100 times the size in all.
"""

import struct
import tempfile
import zipfile
import zlib
from typing import IO

from soloist.documents.kinds import in_mb

_LOCAL, _END_SIGNATURE = b"PK\x03\x04", b"PK\x05\x06"
BEGINNINGS = (_LOCAL, _END_SIGNATURE)  # with something in it, and without
MAX_ENTRIES = 1_000
MAX_UNPACKED = 200 * 1024 * 1024
MAX_RATIO = 100
MAX_DEPTH = 3  # an archive in an archive in an archive
CONTENT_TYPES = "[Content_Types].xml"
FIGMA_CANVAS = "canvas.fig"

_END = struct.Struct("<4s4H2LH")
_LOCATOR_SIGNATURE = b"PK\x06\x07"
_LONGEST_COMMENT = 0xFFFF
# So much of a table of contents is read; a thousand honest entries need a fifth of it.
_MAX_TABLE = 1024 * 1024
_MAX_CONTENT_TYPES = 1024 * 1024
_BLOCK = 256 * 1024
_LOOKED_INTO = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
)
_MAIN_PARTS = {
    "docx": b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "xlsx": b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
    "pptx": b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
}


class Unsound(Exception):
    """The archive is broken, or more than it may be; the text says what it is."""


def ends_as_zip(file: IO[bytes]) -> bool:
    """Whether a table of contents ends just where the file does, so that programs take it for an archive."""
    return _find_end(file) is not None


def inspect(file: IO[bytes]) -> frozenset[str]:
    """The names in the archive, once all of it and of archives inside it is within the limits; raises Unsound."""
    return _inspect(file, 1, _Budget(file.seek(0, 2)))


def office_endings(file: IO[bytes], names: frozenset[str]) -> set[str]:
    """Which of docx, xlsx and pptx the archive is, by the part it names as its main one; none with macros in it."""
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        return set()
    try:
        with zipfile.ZipFile(file) as archive, archive.open(CONTENT_TYPES) as part:
            kinds = part.read(_MAX_CONTENT_TYPES)
    except _BROKEN:
        raise Unsound("a broken Office file") from None
    return {ending for ending, main in _MAIN_PARTS.items() if b'"' + main + b'"' in kinds}


class _Budget:
    """How much may still be unpacked, of an archive of this size and of all inside it."""

    def __init__(self, size: int) -> None:
        self._size = max(size, 1)
        self._unpacked = 0

    def spend(self, amount: int) -> None:
        self._unpacked += amount
        if self._unpacked > MAX_UNPACKED:
            raise Unsound(f"a zip archive that unpacks to more than {in_mb(MAX_UNPACKED)}")
        if self._unpacked > MAX_RATIO * self._size:
            raise Unsound(f"a zip archive that unpacks to more than {MAX_RATIO} times its size")


def _inspect(file: IO[bytes], depth: int, budget: _Budget) -> frozenset[str]:
    if depth > MAX_DEPTH:
        raise Unsound(f"a zip archive with archives inside each other more than {MAX_DEPTH} deep")
    _check_table(file)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            budget.spend(sum(entry.file_size for entry in entries))
            for entry in entries:
                if entry.compress_type in _LOOKED_INTO and not entry.flag_bits & 1 and not entry.is_dir():
                    _look_into(archive, entry, depth, budget)
            return frozenset(entry.filename for entry in entries)
    except _BROKEN:
        raise Unsound("a broken zip archive") from None


def _check_table(file: IO[bytes]) -> None:
    """Look at the size of the table of contents before it is read: each entry there costs memory."""
    end = _find_end(file)
    if end is None:
        raise Unsound("a zip archive that was cut off, or has something after its end")
    at, count, size, offset = end
    file.seek(max(0, at - 20))
    if file.read(20).startswith(_LOCATOR_SIGNATURE):
        # The long form, for archives beyond 4 GB or 65,535 entries: nothing that is allowed needs it, but some
        # programs write it always. Its own figures are where Python looks.
        count, size, offset = _read_long_end(file, at)
    if count > MAX_ENTRIES or size > _MAX_TABLE:
        raise Unsound(f"a zip archive with more than {MAX_ENTRIES:,} entries")
    if offset + size > at:
        raise Unsound("a broken zip archive")


def _read_long_end(file: IO[bytes], at: int) -> tuple[int, int, int]:
    file.seek(max(0, at - 76))
    record = file.read(56)
    if not record.startswith(b"PK\x06\x06"):
        raise Unsound("a broken zip archive")
    count, size, offset = struct.unpack("<3Q", record[32:56])
    return count, size, offset


def _find_end(file: IO[bytes]) -> tuple[int, int, int, int] | None:
    """Where the end record stands, and the count, size and offset of the table; None if none ends with the file."""
    length = file.seek(0, 2)
    start = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read()
    found = tail.rfind(_END_SIGNATURE)
    while found >= 0:
        if len(tail) - found >= _END.size:
            _, _, _, _, count, size, offset, comment = _END.unpack_from(tail, found)
            if found + _END.size + comment == len(tail):
                return start + found, count, size, offset
        found = tail.rfind(_END_SIGNATURE, 0, found)
    return None


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if not entries:
        raise Unsound("an empty zip archive")
    if len(entries) > MAX_ENTRIES:
        raise Unsound(f"a zip archive with more than {MAX_ENTRIES:,} entries")
    for entry in entries:
        parts = entry.filename.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
            raise Unsound("a zip archive that would write outside the folder it is unpacked in")


def _look_into(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, depth: int, budget: _Budget) -> None:
    """If the entry is itself an archive, inspect it like the one around it."""
    with archive.open(entry) as inside:
        start = inside.read(len(_LOCAL))
        if start != _LOCAL:
            return
        with tempfile.SpooledTemporaryFile(max_size=4 * _BLOCK) as copy:
            copy.write(start)
            while block := inside.read(_BLOCK):
                copy.write(block)
            _inspect(copy, depth + 1, budget)

"""What a file is, judged by its bytes alone: neither its name nor what anybody says of it is looked at.

A file must be one thing from its first byte to its last: one that is two at once (a PDF that is also a zip) is none.
"""

import codecs
import re
from typing import IO

import puremagic

from soloist.documents import archives, compound
from soloist.documents.archives import Unsound
from soloist.documents.kinds import Found

HEAD = 4096
TAIL = 4096
BLOCK = 1024 * 1024

_PDF = b"%PDF-"
_PDF_WITHIN = 1024 + len(_PDF)
_POSTSCRIPT = b"%!PS-Adobe"
_ILLUSTRATOR = re.compile(rb"%%Creator:\s*Adobe Illustrator")
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR": ("png",),
    b"\xff\xd8\xff": ("jpg", "jpeg"),
    b"8BPS\x00\x01": ("psd",),
    b"fig-kiwi": ("fig",),
}
# Before a PDF's first line there may be a mark or white space, and nothing that makes the file another thing.
_BEFORE_PDF = b"\xef\xbb\xbf\x00\t\n\x0c\r "
# What browsers take for a page, if it stands where they look.
_PAGE = re.compile(rb"<(!doctype\s+html|html|head|body|script|iframe|svg)\b", re.IGNORECASE)
_BROWSERS_READ = 1445
# Text that is a page, a picture or a program to whatever opens it. Markdown may begin with harmless HTML.
_NOT_PLAIN = re.compile(
    r"(?>\s|<!--.*?-->)*+(?:<(?:!doctype\s+(?:html|svg)|html|head|body|script|iframe|svg|\?xml|\?php)\b|%PDF-|%!PS|\{\\rtf)",
    re.IGNORECASE | re.DOTALL,
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def examine(file: IO[bytes]) -> Found:
    """What the file is. It is read, and unpacked as far as `archives` allows, but nothing in it is run."""
    head = _start(file)
    if not head:
        return Found(frozenset(), "an empty file")
    if head.startswith(archives.BEGINNINGS):
        return _zip(file)
    if archives.ends_as_zip(file):
        return Found(frozenset(), f"{_named(head)} with a zip archive at its end")
    if head.startswith(compound.SIGNATURE):
        return compound.examine(file)
    if head[:_PDF_WITHIN].lstrip(_BEFORE_PDF).startswith(_PDF):
        return _pdf(head, file)
    if endings := _by_signature(head):
        return Found(frozenset(endings), f"a file of type {endings[0]}")
    if _is_plain_text(file):
        return Found(frozenset({"txt", "md"}), "plain text")
    return Found(frozenset(), _named(head))


def _pdf(head: bytes, file: IO[bytes]) -> Found:
    if _PAGE.search(head[:_BROWSERS_READ]):
        return Found(frozenset(), "a PDF that is a web page as well")
    file.seek(max(0, file.seek(0, 2) - TAIL))
    if b"%%EOF" not in file.read(TAIL):
        return Found(frozenset(), "a PDF that was cut off")
    return Found(frozenset({"pdf", "ai"}), "a file of type pdf")


def _by_signature(head: bytes) -> tuple[str, ...]:
    if head.startswith(_POSTSCRIPT):
        return ("ai",) if _ILLUSTRATOR.search(head) else ()
    return next((endings for signature, endings in _SIGNATURES.items() if head.startswith(signature)), ())


def _zip(file: IO[bytes]) -> Found:
    try:
        names = archives.inspect(file)
        endings = {"zip"}
        if archives.CONTENT_TYPES in names:
            endings |= archives.office_endings(file, names)
        if archives.FIGMA_CANVAS in names:
            endings.add("fig")
    except Unsound as fault:
        return Found(frozenset(), str(fault))
    shown = sorted(endings - {"zip"}) or ["zip"]
    return Found(frozenset(endings), f"a file of type {shown[0]}" if shown[0] != "zip" else "a zip archive")


def _is_plain_text(file: IO[bytes]) -> bool:
    """Whether all of it is text: UTF-8, UTF-16 with its mark, or one byte a character; no control characters."""
    head = _start(file)
    encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if encoding is None:
        encoding = "utf-8" if _decodes(file, "utf-8") else "latin-1"
    decoder = codecs.getincrementaldecoder(encoding)()
    first = True
    file.seek(0)
    while block := file.read(BLOCK):
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError:
            return False
        if _CONTROLS.search(text) or (first and _NOT_PLAIN.match(text.lstrip("\ufeff"))):
            return False
        first = False
    return True


def _decodes(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _start(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(HEAD)


def _named(head: bytes) -> str:
    """What puremagic calls it, for the one who sent it."""
    if _PAGE.search(head[:_BROWSERS_READ]):
        return "a web page"
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        matches = []
    sure = [match.name for match in matches if match.name and len(match.byte_match) > 1]
    return f"something else ({sure[0][:80]})" if sure else "something that is not recognised"

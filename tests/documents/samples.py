"""Files made here byte by byte, honest ones of every kind: no program and no third party wrote them."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence

_OOXML = "application/vnd.openxmlformats-officedocument."
MAIN = {
    "docx": f"{_OOXML}wordprocessingml.document.main+xml",
    "xlsx": f"{_OOXML}spreadsheetml.sheet.main+xml",
    "pptx": f"{_OOXML}presentationml.presentation.main+xml",
    "docm": "application/vnd.ms-word.document.macroEnabled.main+xml",
}
_PARTS = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


def pdf(body: bytes = b"", version: bytes = b"1.7") -> bytes:
    """A document of one empty page, with its table of contents."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(body), body),
    ]
    out = b"%PDF-" + version + b"\n%\xe2\xe3\xcf\xd3\n"
    starts = []
    for number, text in enumerate(objects, 1):
        starts.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, text)
    table = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % start for start in starts)
    return out + b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table


def archive(entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return target.getvalue()


def office(ending: str, more: Mapping[str, bytes] | None = None, kind: str | None = None) -> bytes:
    """A .docx, .xlsx or .pptx; `kind` is what it says of its main part, if that is to be something else."""
    part = _PARTS[ending]
    types = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml"
ContentType="application/xml"/><Override PartName="/{part}" ContentType="{kind or MAIN[ending]}"/></Types>"""
    rels = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'
    return archive(
        {"[Content_Types].xml": types.encode(), "_rels/.rels": rels.encode(), part: b"<body/>", **(more or {})}
    )


_NONE = 0xFFFFFFFF


def compound(top: Sequence[str], inside: Sequence[str] = (), padding: int = 0, shift: int = 9) -> bytes:
    """A compound file with these streams in its root, and `inside` in a storage below it.

    The directory comes last, `padding` sectors after the start, so that its sectors may be named far away.
    """
    size = 1 << shift
    names = ["Root Entry", *top, *(["ObjectPool", *inside] if inside else [])]
    directory = b"".join(_entry(names, number, top, inside) for number in range(len(names)))
    directory += b"\x00" * (-len(directory) % size)
    rooms = len(directory) // size
    per = size // 4
    tables = 1
    while tables * per < tables + padding + rooms + _lists(tables, per):
        tables += 1
    lists = _lists(tables, per)
    first_list, first = tables, tables + lists + padding
    chain = [0xFFFFFFFD] * tables + [0xFFFFFFFC] * lists + [_NONE] * padding
    chain += [*range(first + 1, first + rooms), 0xFFFFFFFE]
    chain += [_NONE] * (tables * per - len(chain))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<5H6x", 0x3E, 4 if shift == 12 else 3, 0xFFFE, shift, 6)
    header += struct.pack("<9L", 0, tables, first, 0, 4096, 0xFFFFFFFE, 0, first_list if lists else _NONE, lists)
    named = list(range(tables))
    header += struct.pack("<109L", *(named[:109] + [_NONE] * (109 - len(named[:109]))))
    header += bytes(size - len(header))
    far = named[109:]
    further = b""
    for number in range(lists):
        own = far[number * (per - 1) : (number + 1) * (per - 1)]
        after = first_list + number + 1 if number + 1 < lists else 0xFFFFFFFE
        further += struct.pack(f"<{per}L", *own, *([_NONE] * (per - 1 - len(own))), after)
    return header + struct.pack(f"<{tables * per}L", *chain) + further + bytes(padding * size) + directory


def _lists(tables: int, per: int) -> int:
    return -(-max(0, tables - 109) // (per - 1))


def _entry(names: Sequence[str], number: int, top: Sequence[str], inside: Sequence[str]) -> bytes:
    """Siblings hang in a row to the right; the storage's own hang below it."""
    pool = len(top) + 1
    last = pool if inside else len(top)
    right = number + 1 if 0 < number < last or pool < number < len(names) - 1 else _NONE
    child = 1 if number == 0 and len(names) > 1 else pool + 1 if inside and number == pool else _NONE
    kind = 5 if number == 0 else 1 if inside and number == pool else 2
    text = names[number].encode("utf-16-le")
    head = text.ljust(64, b"\x00") + struct.pack("<HBB3L", len(text) + 2, kind, 1, _NONE, right, child)
    return head + bytes(48)


def png(body: bytes = b"") -> bytes:
    """A picture of one black point; `body` goes into a text beside it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    size = struct.pack(">2L5B", 1, 1, 8, 0, 0, 0, 0)
    text = chunk(b"tEXt", b"Comment\x00" + body) if body else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + text
        + chunk(b"IDAT", zlib.compress(b"\x00\x00"))
        + chunk(b"IEND", b"")
    )


def jpeg() -> bytes:
    """As much of a JFIF picture as makes one."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + noise(200) + b"\xff\xd9"


def photoshop(version: int = 1) -> bytes:
    """The header of a picture, and an empty rest."""
    return b"8BPS" + struct.pack(">H6xH2L2H", version, 3, 1, 1, 8, 3) + bytes(12) + bytes(5)


POSTSCRIPT = b"%!PS-Adobe-3.0\n%%Creator: Adobe Illustrator(R) 8.0\n%%Title: (logo)\n%%EOF\n"
_PROGRAM_HEAD = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00" + bytes(44) + b"\x80\x00\x00\x00"
_PROGRAM_STUB = b"\x0e\x1f\xba\x0e\x00\xb4\x09\xcd!\xb8\x01L\xcd!This program cannot be run in DOS mode.\r\r\n$"
WINDOWS_PROGRAM = _PROGRAM_HEAD + _PROGRAM_STUB + bytes(64) + b"PE\x00\x00"
_LOGO = b'<!-- logo -->\n<p align="center"><img src="x.png"></p>\n\n# Hi\n'
_CANVAS = b"fig-kiwi" + noise(100)
PAGE = b"<!DOCTYPE html>\n<html><body><script>alert(document.domain)</script></body></html>\n"

# Of every ending that is allowed, at least one file that everybody would take for one: name, type, bytes.
HONEST: Mapping[str, tuple[str, str, bytes]] = {
    "pdf": ("contract.pdf", "CONTRACT", pdf()),
    "pdf in capitals": ("CONTRACT.PDF", "CONTRACT", pdf(version=b"1.4")),
    "pdf 2.0 of 3 MB": ("contract.pdf", "AGREEMENT", pdf(noise(3_000_000), b"2.0")),
    "pdf after a mark": ("contract.pdf", "OTHER", b"\xef\xbb\xbf\r\n" + pdf()),
    "pdf with something after its end": ("scan.pdf", "RECEIPT", pdf() + b"\r\n" + bytes(500)),
    "doc": ("letter.doc", "CONTRACT", compound(["1Table", "WordDocument", "\x05SummaryInformation"])),
    "doc with a table in it": ("letter.doc", "BRIEF", compound(["WordDocument", "1Table"], ["Workbook"])),
    "doc of 9 MB": ("letter.doc", "FEEDBACK", compound(["WordDocument"], padding=18_000)),
    "doc with sectors of 4 kB": ("letter.doc", "CONTRACT", compound(["WordDocument"], shift=12)),
    "docx": ("letter.docx", "CONTRACT", office("docx")),
    "docx with pictures and a table": (
        "letter.docx",
        "PROPOSAL",
        office("docx", {"word/media/image1.png": png(), "word/embeddings/Sheet.xlsx": office("xlsx")}),
    ),
    "xls": ("invoice.xls", "INVOICE", compound(["Workbook"])),
    "xls of 1995": ("invoice.xls", "INVOICE", compound(["Book"])),
    "xlsx": ("invoice.xlsx", "INVOICE", office("xlsx")),
    "ppt": ("pitch.ppt", "PROPOSAL", compound(["PowerPoint Document", "Current User"])),
    "pptx": ("pitch.pptx", "PROPOSAL", office("pptx")),
    "png": ("receipt.png", "RECEIPT", png()),
    "jpg": ("receipt.jpg", "RECEIPT", jpeg()),
    "jpeg": ("receipt.jpeg", "FEEDBACK", jpeg()),
    "txt": ("notes.txt", "BRIEF", "Größe: 3 m\n\tfür Zoë 🎉\n".encode()),
    "txt of Windows": ("notes.txt", "BRIEF", "Größe: 3 m\r\n“quoted”\r\n".encode("cp1252")),
    "txt in UTF-16": ("notes.txt", "FEEDBACK", "Größe".encode("utf-16")),
    "txt that is big": ("log.txt", "BRIEF", "ä line of text\n".encode() * 150_000),
    "md": ("brief.md", "BRIEF", b"# Brief\n\n* one\n* two\n"),
    "md that begins with a logo": ("README.md", "FEEDBACK", _LOGO),
    "md about pages": ("brief.md", "BRIEF", b"# How to\n\n```html\n<html><script>1</script></html>\n```\n"),
    "zip": ("site.zip", "DELIVERABLE", archive({"index.html": PAGE, "app/app.js": b"1", "setup.exe": WINDOWS_PROGRAM})),
    "zip with 1,000 entries": ("site.zip", "DELIVERABLE", archive({f"{n}.txt": b"x" for n in range(1000)})),
    "zip in a zip": ("all.zip", "DELIVERABLE", archive({"a.zip": archive({"b.docx": office("docx")}), "c.txt": b"x"})),
    "zip that is stored": ("all.zip", "OTHER", archive({"a.bin": noise(100_000)}, zipfile.ZIP_STORED)),
    "zip with a comment": ("all.zip", "OTHER", archive({"a.txt": b"x"})[:-2] + b"\x05\x00hello"),
    "docx called zip": ("letter.zip", "DELIVERABLE", office("docx")),
    "psd": ("logo.psd", "DELIVERABLE", photoshop()),
    "ai": ("logo.ai", "DELIVERABLE", pdf(b"%AI9_DataStream")),
    "ai of 1998": ("logo.ai", "DELIVERABLE", POSTSCRIPT),
    "fig": ("screens.fig", "DELIVERABLE", _CANVAS),
    "fig that is a zip": ("screens.fig", "DELIVERABLE", archive({"canvas.fig": _CANVAS, "meta.json": b"{}"})),
}  # fmt: skip

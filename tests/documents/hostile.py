"""Files that are not what they are called, two things at once, or bombs; made here byte by byte."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping

from tests.documents.samples import (
    MAIN,
    PAGE,
    POSTSCRIPT,
    WINDOWS_PROGRAM,
    archive,
    compound,
    jpeg,
    noise,
    office,
    pdf,
    photoshop,
    png,
)

CLASSES = archive({"a.class": b"x"})
AT_ITS_END = "zip archive at its end"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
MB = 1024 * 1024


def nested(depth: int) -> bytes:
    """An archive of archives of archives …, each small by itself."""
    made = archive({"zeros": bytes(50_000)})
    for _ in range(depth):
        made = archive({f"{n}.zip": made for n in range(4)})
    return made


def overlapping(times: int) -> bytes:
    """One compressed entry that the table of contents names again and again: small, and endless to unpack."""
    made = archive({"a": bytes(2 * MB)})
    end = made.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<L", made, end + 16)[0]
    table = made[start:end] * times
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, times, times, len(table), start, 0)
    return made[:start] + table + record


def crowded(count: int, said: int | None = None) -> bytes:
    """An archive whose table has `count` entries and says that there are `said`."""
    made = archive({"a": b"x"})
    end = made.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<L", made, end + 16)[0]
    table = made[start:end] * count
    said = count if said is None else said
    return made[:start] + table + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, said, said, len(table), start, 0)


def long_form(count: int) -> bytes:
    """An archive whose short end record looks harmless while its long one names another table."""
    made = archive({"a": b"x"})
    end = made.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<L", made, end + 16)[0]
    table = made[start:end] * count
    long_end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(table), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(table), 1)
    short = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(made[start:end]), start, 0)
    return made[:start] + table + long_end + locator + short


def huge() -> bytes:
    """Within a hundred times its size, but more than may be unpacked."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(3):
            made.writestr(f"{number}.bin", bytes(70 * MB))
        made.writestr("noise.bin", noise(3 * MB), zipfile.ZIP_STORED)
    return target.getvalue()


def looping() -> bytes:
    """A compound file whose directory points to itself."""
    made = bytearray(compound(["WordDocument"] * 3))
    first = struct.unpack_from("<L", made, 48)[0]
    struct.pack_into("<L", made, 512 + 4 * first, first)
    struct.pack_into("<3L", made, (first + 1) * 512 + 128 + 68, 1, 1, 1)
    return bytes(made).replace("WordDocument".encode("utf-16-le"), "AnotherThing".encode("utf-16-le"))


# What it is → name, document type, bytes (or what makes them), and what the refusal must say was found.
HOSTILE: Mapping[str, tuple[str, str, bytes | Callable[[], bytes], str]] = {
    "program as pdf": ("contract.pdf", "CONTRACT", WINDOWS_PROGRAM, "something else"),
    "program as doc": ("contract.doc", "CONTRACT", WINDOWS_PROGRAM, "something else"),
    "program as zip": ("setup.zip", "DELIVERABLE", WINDOWS_PROGRAM, "something else"),
    "program as txt": ("notes.txt", "BRIEF", WINDOWS_PROGRAM, "something else"),
    "Linux program as pdf": ("contract.pdf", "CONTRACT", b"\x7fELF\x02\x01\x01" + bytes(60), "something else"),
    "page as pdf": ("contract.pdf", "CONTRACT", PAGE, "a web page"),
    "page as png": ("receipt.png", "RECEIPT", PAGE, "a web page"),
    "page as txt": ("notes.txt", "BRIEF", PAGE, "a web page"),
    "page as md": ("notes.md", "BRIEF", b"<!-- a --> <!-- b -->\n" + PAGE, "a web page"),
    "page in UTF-16 as txt": ("notes.txt", "BRIEF", PAGE.decode().encode("utf-16"), "something"),
    "page with a mark as md": ("notes.md", "BRIEF", b"\xef\xbb\xbf  " + PAGE, "a web page"),
    "SVG as png": ("receipt.png", "RECEIPT", SVG, "a web page"),
    "SVG as txt": ("notes.txt", "FEEDBACK", SVG, "a web page"),
    "XML as txt": ("notes.txt", "BRIEF", b'<?xml version="1.0"?>\n<x/>', "something"),
    "PHP as md": ("notes.md", "BRIEF", b"<?php system($_GET['c']);", "something"),
    "RTF as doc": ("letter.doc", "CONTRACT", b"{\\rtf1\\ansi hello}", "something else"),
    "RTF as txt": ("letter.txt", "BRIEF", b"{\\rtf1\\ansi hello}", "something else"),
    "text as pdf": ("contract.pdf", "CONTRACT", b"just some words", "plain text"),
    "text as docx": ("contract.docx", "CONTRACT", b"just some words", "plain text"),
    "pdf as txt": ("notes.txt", "BRIEF", pdf(), "pdf"),
    "pdf as png": ("receipt.png", "RECEIPT", pdf(), "pdf"),
    "pdf that was cut off": ("contract.pdf", "CONTRACT", pdf(noise(9000))[:6000], "cut off"),
    "pdf that is a page, too": ("contract.pdf", "CONTRACT", b"%PDF-1.7\n" + PAGE + pdf(), "web page as well"),
    "page before a pdf": ("contract.pdf", "CONTRACT", PAGE + pdf(), "a web page"),
    "program before a pdf": ("contract.pdf", "CONTRACT", WINDOWS_PROGRAM + pdf(), "something else"),
    "pdf with a zip at its end": ("contract.pdf", "CONTRACT", pdf() + CLASSES, AT_ITS_END),
    "picture with a zip at its end": ("receipt.png", "RECEIPT", png() + CLASSES, AT_ITS_END),
    "photo with a zip at its end": ("receipt.jpg", "RECEIPT", jpeg() + CLASSES, AT_ITS_END),
    "program with a zip at its end": ("a.zip", "DELIVERABLE", WINDOWS_PROGRAM + CLASSES, AT_ITS_END),
    "nothing": ("contract.pdf", "CONTRACT", b"", "an empty file"),
    "one zero": ("notes.txt", "BRIEF", b"\x00", "something"),
    "text with a zero": ("notes.txt", "BRIEF", b"a" * 5000 + b"\x00", "something"),
    "noise as txt": ("notes.txt", "BRIEF", noise(5000), "something"),
    "half a UTF-16 text": ("notes.txt", "BRIEF", b"\xff\xfe\x00\x00" + b"a\x00" * 10, "something"),
    "png as jpg": ("receipt.jpg", "RECEIPT", png(), "png"),
    "jpg as png": ("receipt.png", "RECEIPT", jpeg(), "jpg"),
    "gif as png": ("receipt.png", "RECEIPT", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "something else"),
    "webp as jpg": ("receipt.jpg", "RECEIPT", b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(24), "something else"),
    "big Photoshop as psd": ("logo.psd", "DELIVERABLE", photoshop(version=2), "something"),
    "PostScript as ai": ("logo.ai", "DELIVERABLE", POSTSCRIPT.replace(b"Adobe Illustrator", b"dvips"), "something"),
    "zip as fig": ("screens.fig", "DELIVERABLE", archive({"a": b"x"}), "zip"),
    "7z as zip": ("a.zip", "DELIVERABLE", b"7z\xbc\xaf'\x1c\x00\x04" + bytes(24), "something else"),
    "rar as zip": ("a.zip", "DELIVERABLE", b"Rar!\x1a\x07\x01\x00" + bytes(24), "something else"),
    "gzip as zip": ("a.zip", "DELIVERABLE", b"\x1f\x8b\x08\x00" + bytes(24), "something else"),
    "zip as pdf": ("contract.pdf", "CONTRACT", archive({"a": b"x"}), "zip"),
    "zip as docx": ("contract.docx", "CONTRACT", archive({"word/document.xml": b"<x/>"}), "zip"),
    "xlsx as docx": ("contract.docx", "CONTRACT", office("xlsx"), "xlsx"),
    "docx as doc": ("contract.doc", "CONTRACT", office("docx"), "docx"),
    "doc as docx": ("contract.docx", "CONTRACT", compound(["WordDocument"]), "doc"),
    "xls as doc": ("contract.doc", "CONTRACT", compound(["Workbook"]), "xls"),
    "macros by type": ("contract.docx", "CONTRACT", office("docx", kind=MAIN["docm"]), "zip"),
    "macros by part": ("contract.docx", "CONTRACT", office("docx", {"word/vbaProject.bin": b"x"}), "zip"),
    "type without quotes": ("contract.docx", "CONTRACT", office("docx", kind=f"x{MAIN['docx']}"), "zip"),
    "locked Office file": ("contract.docx", "CONTRACT", compound(["EncryptedPackage", "EncryptionInfo"]), "password"),
    "Outlook message as doc": ("contract.doc", "CONTRACT", compound(["__nameid_version1.0"]), "Outlook"),
    "installer as doc": ("contract.doc", "CONTRACT", compound(["\u4840\u3f7f"]), "another program"),
    "table in another program's file": ("a.xls", "INVOICE", compound(["Contents"], ["Workbook"]), "another program"),
    "directory that points to itself": ("contract.doc", "CONTRACT", looping(), "another program"),
    "compound file that was cut off": ("contract.doc", "CONTRACT", compound(["WordDocument"])[:700], "broken"),
    "compound file of one line": ("contract.doc", "CONTRACT", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "broken"),
    "1,001 entries": ("a.zip", "DELIVERABLE", archive({f"{n}": b"" for n in range(1001)}), "1,000 entries"),
    "100,000 entries that say they are one": ("a.zip", "DELIVERABLE", crowded(100_000, said=1), "1,000 entries"),
    "5,000 entries that say they are one": ("a.zip", "DELIVERABLE", crowded(5_000, said=1), "1,000 entries"),
    "entries behind a long end record": ("a.zip", "DELIVERABLE", long_form(60_000), "1,000 entries"),
    "a bomb of 1,000 to 1": ("a.zip", "DELIVERABLE", archive({"zeros": bytes(3 * MB)}), "100 times"),
    "a bomb in an Office file": ("a.docx", "CONTRACT", office("docx", {"word/x.xml": bytes(3 * MB)}), "100 times"),
    "more than 200 MB": ("a.zip", "DELIVERABLE", huge, "200 MB"),
    "archives four deep": ("a.zip", "DELIVERABLE", nested(3), "3 deep"),
    "a bomb inside an archive": (
        "a.zip", "DELIVERABLE", archive({"in.zip": archive({"z": bytes(9 * MB)}), "n": noise(50_000)}), "100 times",
    ),
    "entries over each other": ("a.zip", "DELIVERABLE", overlapping(90), "100 times"),
    "an entry above its folder": ("a.zip", "DELIVERABLE", archive({"../../etc/passwd": b"x"}), "outside the folder"),
    "an entry at the root": ("a.zip", "DELIVERABLE", archive({"/etc/passwd": b"x"}), "outside the folder"),
    "an entry on another drive": ("a.zip", "DELIVERABLE", archive({"C:\\windows\\x": b"x"}), "outside the folder"),
    "zip without entries": ("a.zip", "DELIVERABLE", archive({}), "an empty zip archive"),
    "zip that was cut off": ("a.zip", "DELIVERABLE", archive({"a": noise(5000)})[:-40], "cut off"),
    "zip with something after it": ("a.zip", "DELIVERABLE", archive({"a": b"x"}) + b"\x00" * 70_000, "after its end"),
    "zip with a broken table": ("a.zip", "DELIVERABLE", CLASSES.replace(b"PK\x01\x02", b"PK\x01\x09"), "broken"),
    "zip with a broken beginning": ("a.zip", "DELIVERABLE", b"PK\x03\x05" + CLASSES[4:], AT_ITS_END),
}  # fmt: skip

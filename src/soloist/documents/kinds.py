"""Which files a document may be: what each type of document takes, by the ending of the name and the media type.

The ending decides what is handed out later; the media type that is stored is always ours, never a caller's text.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from soloist.infra.errors import Problem


class DocumentType(StrEnum):
    CONTRACT = "CONTRACT"
    PROPOSAL = "PROPOSAL"
    INVOICE = "INVOICE"
    RECEIPT = "RECEIPT"
    AGREEMENT = "AGREEMENT"
    BRIEF = "BRIEF"
    DELIVERABLE = "DELIVERABLE"
    FEEDBACK = "FEEDBACK"
    OTHER = "OTHER"


class InvalidDocumentType(Problem):
    code, status = "INVALID_DOCUMENT_TYPE", 400
    text = "Files of this type are not allowed here."


class FileTooLarge(Problem):
    code, status = "FILE_TOO_LARGE", 400
    text = "The file is too large."


class Kind(NamedTuple):
    """A kind of file: the media type it is stored under, and what else programs call it."""

    media_type: str
    also: frozenset[str]


def _kind(media_type: str, *also: str) -> Kind:
    return Kind(media_type, frozenset({media_type, *also}))


_OOXML = "application/vnd.openxmlformats-officedocument."
_UNNAMED = "application/octet-stream"  # what browsers say of files that they have no name for
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "pdf": _kind("application/pdf", "application/x-pdf"),
        "doc": _kind("application/msword"),
        "docx": _kind(f"{_OOXML}wordprocessingml.document"),
        "xls": _kind("application/vnd.ms-excel", "application/msexcel"),
        "xlsx": _kind(f"{_OOXML}spreadsheetml.sheet"),
        "ppt": _kind("application/vnd.ms-powerpoint", "application/mspowerpoint"),
        "pptx": _kind(f"{_OOXML}presentationml.presentation"),
        "png": _kind("image/png", "image/x-png"),
        "jpg": _kind("image/jpeg", "image/jpg", "image/pjpeg"),
        "jpeg": _kind("image/jpeg", "image/jpg", "image/pjpeg"),
        "txt": _kind("text/plain"),
        "md": _kind("text/markdown", "text/x-markdown", "text/plain"),
        "zip": _kind("application/zip", "application/x-zip-compressed", "application/x-zip"),
        "psd": _kind(
            "image/vnd.adobe.photoshop",
            "image/psd",
            "image/x-psd",
            "image/x-photoshop",
            "application/x-photoshop",
            "application/photoshop",
            _UNNAMED,
        ),
        "ai": _kind(
            "application/vnd.adobe.illustrator",
            "application/illustrator",
            "application/postscript",
            "application/pdf",
            _UNNAMED,
        ),
        "fig": _kind(_UNNAMED, "application/figma", "application/x-figma", "application/zip"),
    }
)
_READABLE = 2**53  # a larger number is no size, but a joke
_WORDS = ("pdf", "doc", "docx")
_TEXTS = (*_WORDS, "txt", "md")
ALLOWED: Mapping[DocumentType, tuple[str, ...]] = MappingProxyType(
    {
        DocumentType.CONTRACT: _WORDS,
        DocumentType.AGREEMENT: _WORDS,
        DocumentType.PROPOSAL: (*_WORDS, "ppt", "pptx"),
        DocumentType.INVOICE: (*_WORDS, "xls", "xlsx"),
        DocumentType.RECEIPT: ("pdf", "png", "jpg", "jpeg"),
        DocumentType.BRIEF: _TEXTS,
        DocumentType.DELIVERABLE: ("pdf", "zip", "png", "jpg", "jpeg", "psd", "ai", "fig"),
        DocumentType.FEEDBACK: (*_TEXTS, "png", "jpg", "jpeg"),
        DocumentType.OTHER: tuple(KINDS),
    }
)
# Inside a name they have no honest use: the program is to look like a document. (`node.js.pdf` has one.)
_PROGRAMS = re.compile(r"\.(bat|cmd|cpl|exe|hta|jar|lnk|msi|pif|ps1|scr|vbs|wsf)\.", re.IGNORECASE)


class Found(NamedTuple):
    """What a file is by its content: the endings that fit, none for what is never allowed, and what to call it."""

    endings: frozenset[str]
    name: str


def ending_of(file_name: str) -> str:
    """The ending of a name in lower case, without the dot; empty if there is none."""
    return file_name.rpartition(".")[2].lower() if "." in file_name else ""


def check_kind(document_type: DocumentType, file_name: str, claimed: str | None, found: Found | None = None) -> str:
    """The media type to store a file under.

    Raises InvalidDocumentType if a document of this type may not have the name's ending, or if the claimed media
    type or the content found does not go with it. What nobody claimed, or looked at, is left out.
    """
    ending, allowed = ending_of(file_name), ALLOWED[document_type]
    takes = f"a document of type {document_type} may be {_listed(allowed)}"
    if ending not in allowed:
        shown = f"ends in .{ending[:40]}" if ending else "has no ending"
        raise _refused(f"The name {file_name} {shown}; {takes}.", document_type, found=ending or None)
    if hidden := _PROGRAMS.search(file_name):
        raise _refused(
            f"The name {file_name} has the ending of a program inside (.{hidden[1]}); leave it out.",
            document_type,
            found=hidden[1],
        )
    kind = KINDS[ending]
    if claimed is not None and claimed.partition(";")[0].strip().lower() not in kind.also:
        raise _refused(
            f"The type {claimed[:100]} does not go with a name that ends in .{ending}, which is {kind.media_type}.",
            document_type,
            found=claimed[:100],
        )
    if found is not None and ending not in found.endings:
        raise _refused(
            f"{file_name} is named .{ending}, but what arrived is {found.name}; {takes}.",
            document_type,
            found=found.name,
        )
    return kind.media_type


def check_size(size: int, limit: int) -> None:
    """Raises FileTooLarge over the limit; both in bytes."""
    if size > limit:
        raise too_large(limit, size)


def too_large(limit: int, size: int | None = None) -> FileTooLarge:
    """The refusal of a file over the limit, whose size need not be known."""
    if size is not None and size > _READABLE:
        size = None
    shown = f"has {size:,} bytes" if size is not None else "is larger than that"
    message = f"A file may have at most {limit:,} bytes ({in_mb(limit)}); this one {shown}."
    return FileTooLarge(message, details={"maxSize": limit, **({"fileSize": size} if size is not None else {})})


def in_mb(size: int) -> str:
    """A size for a person: 52428800 is "50 MB"."""
    return f"{size / 1024 / 1024:.4g} MB"


def _listed(endings: tuple[str, ...]) -> str:
    return f"{', '.join(endings[:-1])} or {endings[-1]}"


def _refused(message: str, document_type: DocumentType, found: str | None) -> InvalidDocumentType:
    details = {"documentType": document_type, "allowed": list(ALLOWED[document_type]), "found": found}
    return InvalidDocumentType(message, details=details)

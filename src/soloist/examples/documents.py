"""Examples of documents; the document's own where it has one."""

from collections.abc import Mapping

from soloist.examples.accounts import ACCOUNT_ID
from soloist.examples.clients import CLIENT_ID
from soloist.examples.opportunities import OPPORTUNITY_ID
from soloist.examples.parts import NEWER, STAMPS, gone, page
from soloist.infra.openapi import Example

DOCUMENT_ID = "018d0a80-5e6f-7a12-9b3c-4d5e6f708192"
FILE_URL = f"https://crm.example.com/files/crm/{ACCOUNT_ID}/{CLIENT_ID}/018d0a7f-1c2d-7e3f-8a4b-5c6d7e8f9012.pdf"
SIGNED = "signature=Zx0cYq3mT1vS5nKpRf8wLd2hGbJuXeAo4iQyN7tMzVk"

LINK: Mapping[str, object] = {
    "clientId": CLIENT_ID,
    "opportunityId": OPPORTUNITY_ID,
    "documentType": "PROPOSAL",
    "fileName": "proposal_v2.pdf",
    "fileUrl": "https://storage.example.com/proposal_v2.pdf",
    "fileSize": 1048576,
    "mimeType": "application/pdf",
    "description": "Updated proposal with revised pricing",
    "tags": ["proposal", "v2"],
}
DOCUMENT: Mapping[str, object] = {"id": DOCUMENT_ID, **LINK, "isExternal": True, **STAMPS}
TARGET: Mapping[str, object] = {
    "uploadUrl": f"{FILE_URL}?expires=1705315500&max=52428800&type=application%2Fpdf&{SIGNED}",
    "fileUrl": FILE_URL,
    "method": "PUT",
    "headers": {"Content-Type": "application/pdf"},
    "fields": {},
    "maxSize": 52428800,
    "expiresAt": "2024-01-15T10:45:00.000Z",
}
DOWNLOAD: Mapping[str, object] = {
    "downloadUrl": f"{FILE_URL}?expires=1705314900&name=contract.pdf&type=application%2Fpdf&{SIGNED}",
    "expiresAt": "2024-01-15T10:35:00.000Z",
}

EXAMPLES: Mapping[str, Example] = {
    "getUploadUrl": Example(TARGET, {"clientId": CLIENT_ID, "fileName": "contract.pdf", "documentType": "CONTRACT"}),
    "createDocument": Example(DOCUMENT, LINK),
    "searchDocuments": Example(page("documents", DOCUMENT)),
    "getRecentDocuments": Example([DOCUMENT]),
    "getDocumentStats": Example(
        {"total": 12, "totalSize": 25165824, "byType": {"CONTRACT": 7, "PROPOSAL": 5}, "recentCount": 3}
    ),
    "getDocument": Example(DOCUMENT),
    "getDownloadUrl": Example(DOWNLOAD),
    "updateDocument": Example({**DOCUMENT, **NEWER, "tags": ["signed"]}, {"tags": ["signed"]}),
    "deleteDocument": gone(DOCUMENT_ID),
}

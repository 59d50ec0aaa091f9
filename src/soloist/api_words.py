"""What the OpenAPI document says that no route can say of itself: conventions, tags, scopes, rules between fields."""

from collections.abc import Mapping

from soloist.accounts.actor import reader, syncer, writer
from soloist.accounts.model import Scope
from soloist.examples import EXAMPLES
from soloist.examples.clients import CLIENT_ID
from soloist.examples.market import RUN_ID
from soloist.infra.openapi import Words

ERRORS: Mapping[str, Mapping[str, object]] = {
    "VALIDATION_ERROR": {
        "message": "The request has 2 faults; details names each.",
        "details": [
            {"field": "email", "code": "email", "message": "must be an e-mail address"},
            {"field": "emial", "code": "unknown_field", "message": "unknown field emial; did you mean email?"},
        ],
    },
    "MALFORMED_JSON": {
        "message": "The body is not valid JSON: Expecting property name enclosed in double quotes at line 3, column 1.",
        "details": {"line": 3, "column": 1},
    },
    "ACCESS_DENIED": {
        "message": "This needs the scope 'write', which this API key lacks (it has: read).",
        "details": {"requiredScope": "write", "scopes": ["read"]},
    },
    "CLIENT_ALREADY_EXISTS": {
        "message": "A client with this e-mail address already exists: Acme Corporation.",
        "details": {"clientId": CLIENT_ID, "archived": False},
    },
    "CLIENT_ARCHIVED": {"details": {"clientId": CLIENT_ID}},
    "OPPORTUNITY_CLOSED": {
        "message": "The opportunity was closed as WON on 2024-01-15T10:30:00.000Z. Reopen it first "
        "(POST /opportunities/:id/reopen).",
        "details": {"stage": "WON", "status": "WON", "closedAt": "2024-01-15T10:30:00.000Z"},
    },
    "INVALID_STAGE_TRANSITION": {
        "message": "The opportunity is in stage LEAD already. "
        "Allowed from here: QUALIFIED, PROPOSAL, NEGOTIATION, WON, LOST.",
        "details": {
            "from": "LEAD",
            "to": "LEAD",
            "allowed": ["QUALIFIED", "PROPOSAL", "NEGOTIATION", "WON", "LOST"],
        },
    },
    "REMINDER_ALREADY_COMPLETED": {
        "message": "The reminder was completed on 2024-01-15T10:30:00.000Z. Reopen it first "
        "(POST /reminders/:id/reopen).",
        "details": {"completedAt": "2024-01-15T10:30:00.000Z"},
    },
    "INVALID_RECURRING_PATTERN": {
        "message": "recurringPattern.interval: must be at most 366",
        "details": [
            {"field": "recurringPattern.interval", "code": "less_than_equal", "message": "must be at most 366"}
        ],
    },
    "INVALID_DOCUMENT_TYPE": {
        "message": "The name contract.exe ends in .exe; a document of type CONTRACT may be pdf, doc or docx.",
        "details": {"documentType": "CONTRACT", "allowed": ["pdf", "doc", "docx"], "found": "exe"},
    },
    "FILE_TOO_LARGE": {
        "message": "A file may have at most 52,428,800 bytes (50 MB); this one has 52,428,801 bytes.",
        "details": {"maxSize": 52428800, "fileSize": 52428801},
    },
    "SYNC_FAILED": {
        "message": "The Market did not answer in time.",
        "details": {"runId": RUN_ID},
    },
    "SYNC_IN_PROGRESS": {"details": {"runId": RUN_ID}},
    "METHOD_NOT_ALLOWED": {
        "message": "DELETE is not known here; allowed: GET, HEAD, PATCH.",
        "details": {"allowed": ["GET", "HEAD", "PATCH"]},
    },
    "PRECONDITION_FAILED": {
        "message": "The record is at version 4, not at the one that If-Match names. Read it again, look at what "
        "changed, and send your change with the new version.",
        "details": {"currentVersion": 4},
    },
    "PAYLOAD_TOO_LARGE": {
        "message": "The body is larger than 1,048,576 bytes, the most that is read.",
        "details": {"maxBytes": 1048576},
    },
    "IDEMPOTENCY_KEY_REUSED": {
        "message": "This Idempotency-Key was first used at 2024-01-15T10:30:00Z for another request. "
        "Use a new key for a new request.",
        "details": {"firstUsedAt": "2024-01-15T10:30:00Z"},
    },
    "RATE_LIMITED": {
        "message": "More than 50 write requests in 60 seconds. Try again in 12 seconds.",
        "details": {"policy": "write", "limit": 50, "windowSeconds": 60, "retryAfter": 12},
    },
}

NAMED = [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("firstName", "lastName")]
RULES: Mapping[str, dict[str, object]] = {
    "NewClient": {
        "if": {"properties": {"clientType": {"const": "COMPANY"}}, "required": ["clientType"]},
        "then": {"required": ["companyName"], "properties": {"companyName": {"type": "string"}}},
        "else": {"anyOf": NAMED},
    },
}

DESCRIPTION = """\
The freelancer's CRM: clients and the people there, what passed between you, how healthy each relationship is, the
deals in the pipeline, and what to think of when.

**Answers.** Every answer is `{"success": true, "data": …}` or `{"success": false, "error": {code, message, details,
requestId}}`. An error's `code` is stable; `VALIDATION_ERROR` lists every fault of the request at once. Pass over
fields you do not know: new ones may be added. An unknown address answers 404 `NOT_FOUND`, a method that an address
does not know 405 `METHOD_NOT_ALLOWED` with `Allow`; whatever answers GET answers HEAD, too.

**Who you are.** Send `Authorization: Bearer <token>`: an access token from `/auth/login`, an API key from
`/me/api-keys`, or a token of a platform that is trusted here. Another account's records answer as if they did not
exist.

**Requests.** JSON in UTF-8, at most 1 MiB unless this installation says otherwise, each key once. Unknown fields and
parameters are refused. PATCH changes only what is sent; `null` clears. A list parameter is repeated
(`status=LEAD&status=ACTIVE`), comma-separated, or written `status[]=`.

**Values.** Times are ISO 8601 in UTC with `Z`; yours need an offset. Dates are `YYYY-MM-DD` and mean a day in the
account's time zone. Amounts are exact decimal numbers with a currency (ISO 4217).

**Safe to repeat.** Send an `Idempotency-Key` with a change: the same key and request get the same answer for 24 hours,
with `Idempotency-Replayed: true`.

**Nobody's change is lost.** Records carry a `version`, sent as `ETag`; a change with `If-Match` is refused with 412 if
the record has moved on.

**Lists.** `page` and `limit` with the exact `total`, or `cursor` with the `nextCursor` of the page before, which also
reaches beyond 10,000 entries.

**Rate limits.** By account and in any minute 100 reads and 50 changes, unless this installation says otherwise;
`RateLimit-Policy` and `RateLimit` tell where you stand. Over it: 429 with `Retry-After`.
"""

WORDS = Words(
    title="Soloist API",
    summary="A freelancer's book: clients, relationship health, pipeline and reminders",
    description=DESCRIPTION,
    tags={
        "Account": "Signing in and out, the account's settings, exchange rates and API keys.",
        "Clients": "The companies and people you work for.",
        "Contacts": "The people at a client. At most one of them is the primary contact.",
        "Interactions": "What passed between you and a client: calls, meetings, messages, payments.",
        "Opportunities": "Deals on their way through the pipeline, and how they ended.",
        "Reminders": "What to do, when; once or again and again, in the account's time zone.",
        "Documents": "Contracts, proposals and other files of a client, uploaded here or linked.",
        "Market": "Clients won on the Market platform: importing, synchronising, and what each sync did.",
        "Events": "What happened in the book, told as it happened; for tools that ask from time to time.",
        "Webhooks": "Addresses of yours that are told, signed, what happens here; what was sent, and sending it again.",
        "Health": "How well the relationship with a client is, from 0 to 100, with the reasons.",
    },
    scopes={reader: Scope.READ, writer: Scope.WRITE, syncer: Scope.SYNC},
    examples=EXAMPLES,
    errors=ERRORS,
    rules=RULES,
)

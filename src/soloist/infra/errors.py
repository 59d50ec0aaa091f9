"""Every refusal the API can answer, one class each, in one registry.

A domain's `model.py` adds its own by subclassing `Problem`; the OpenAPI document, the reference and the
tests read them from `REGISTRY`, so a code can't be answered that is not in it.
"""

from collections.abc import Mapping
from typing import ClassVar, TypedDict

REGISTRY: dict[str, type["Problem"]] = {}


MOST_FAULTS = 100  # of one request that are told; a hostile body could hold a hundred thousand


class Fault(TypedDict):
    """One thing wrong with a request: where (dotted path), what kind, and what to do about it."""

    field: str
    code: str
    message: str


type_of_details = Mapping[str, object] | list[Fault]


class Problem(Exception):
    """A refusal with a stable `code`, its HTTP `status`, and words for a person.

    Raising one rolls the transaction back and answers the error envelope.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    text: ClassVar[str]

    def __init_subclass__(cls) -> None:
        if cls.code in REGISTRY:
            raise TypeError(f"two problems share the code {cls.code}")
        REGISTRY[cls.code] = cls

    def __init__(
        self,
        message: str | None = None,
        *,
        details: type_of_details | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or self.text)
        self.message = message or self.text
        self.details = details
        self.headers = dict(headers or {})


class ValidationFailed(Problem):
    code, status = "VALIDATION_ERROR", 400
    text = "The request is not valid; details names every fault."

    def __init__(self, faults: list[Fault], message: str | None = None) -> None:
        super().__init__(message or _summary(faults), details=faults)
        self.faults = faults


class MalformedJson(Problem):
    code, status = "MALFORMED_JSON", 400
    text = "The body is not readable JSON."


class Unauthorized(Problem):
    code, status = "UNAUTHORIZED", 401
    text = "Send a valid token in the header 'Authorization: Bearer <token>'."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message, headers={"WWW-Authenticate": 'Bearer realm="soloist"'})


class TokenExpired(Problem):
    code, status = "TOKEN_EXPIRED", 401
    text = "The token has expired: refresh it or sign in again."

    def __init__(self, message: str | None = None) -> None:
        challenge = 'Bearer realm="soloist", error="invalid_token", error_description="The token has expired"'
        super().__init__(message, headers={"WWW-Authenticate": challenge})


class AccessDenied(Problem):
    code, status = "ACCESS_DENIED", 403
    text = "This credential may not do that."


class NotFound(Problem):
    code, status = "NOT_FOUND", 404
    text = "There is nothing at this address."


class MethodNotAllowed(Problem):
    code, status = "METHOD_NOT_ALLOWED", 405
    text = "This address does not know that method."


class PreconditionFailed(Problem):
    code, status = "PRECONDITION_FAILED", 412
    text = "The record has changed since you read it."

    def __init__(self, current_version: int | None) -> None:
        if current_version is None:
            message = "If-Match was sent, but this request changes no existing record. Leave the header out."
        else:
            message = (
                f"The record is at version {current_version}, not at the one that If-Match names. "
                "Read it again, look at what changed, and send your change with the new version."
            )
        super().__init__(message, details={"currentVersion": current_version})


class PayloadTooLarge(Problem):
    code, status = "PAYLOAD_TOO_LARGE", 413
    text = "The body is too large."


class UnsupportedMediaType(Problem):
    code, status = "UNSUPPORTED_MEDIA_TYPE", 415
    text = "Send the body as 'Content-Type: application/json'."


class IdempotencyKeyInUse(Problem):
    code, status = "IDEMPOTENCY_KEY_IN_USE", 409
    text = "A request with this Idempotency-Key is still running. Try again in a second."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class IdempotencyKeyReused(Problem):
    code, status = "IDEMPOTENCY_KEY_REUSED", 422
    text = "This Idempotency-Key was used for another request. Use a new key for a new request."


class RateLimited(Problem):
    code, status = "RATE_LIMITED", 429
    text = "Too many requests."


class InternalError(Problem):
    code, status = "INTERNAL_ERROR", 500
    text = "Something went wrong on our side. Nothing was changed. If it happens again, report the request id."


class ServiceUnavailable(Problem):
    code, status = "SERVICE_UNAVAILABLE", 503
    text = "The service can't answer at the moment. Nothing is lost: try again in a few seconds."

    def __init__(self, message: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})


def one_fault(field: str, code: str, message: str) -> ValidationFailed:
    """A validation error with a single fault, for rules that a schema can't express."""
    return ValidationFailed([Fault(field=field, code=code, message=message)])


def _summary(faults: list[Fault]) -> str:
    if len(faults) == 1:
        where = faults[0]["field"]
        return f"{where}: {faults[0]['message']}" if where else faults[0]["message"]
    return f"The request has {len(faults)} faults; details names each."

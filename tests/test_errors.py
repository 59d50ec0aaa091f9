"""The registry of refusals: the document's codes with its statuses, ours beside them, and a test for each."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import soloist
from soloist.infra.errors import REGISTRY, Fault, Problem, ValidationFailed, one_fault

# The API document's table "Error Codes".
DOCUMENTED = {
    "CLIENT_NOT_FOUND": 404,
    "CLIENT_ALREADY_EXISTS": 409,
    "CONTACT_NOT_FOUND": 404,
    "OPPORTUNITY_NOT_FOUND": 404,
    "OPPORTUNITY_CLOSED": 400,
    "INVALID_STAGE_TRANSITION": 400,
    "REMINDER_NOT_FOUND": 404,
    "REMINDER_ALREADY_COMPLETED": 400,
    "DOCUMENT_NOT_FOUND": 404,
    "INVALID_DOCUMENT_TYPE": 400,
    "FILE_TOO_LARGE": 400,
    "ACCESS_DENIED": 403,
    "SYNC_FAILED": 500,
    "INVALID_RECURRING_PATTERN": 400,
}
OURS = {
    "VALIDATION_ERROR": 400,
    "MALFORMED_JSON": 400,
    "UNAUTHORIZED": 401,
    "TOKEN_EXPIRED": 401,
    "INVALID_CREDENTIALS": 401,
    "EMAIL_ALREADY_REGISTERED": 409,
    "REGISTRATION_CLOSED": 403,
    "API_KEY_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "INTERACTION_NOT_FOUND": 404,
    "CLIENT_ARCHIVED": 400,
    "WEBHOOK_NOT_FOUND": 404,
    "WEBHOOK_URL_NOT_ALLOWED": 400,
    "DELIVERY_NOT_FOUND": 404,
    "PLATFORM_CLIENT_NOT_FOUND": 404,
    "SYNC_IN_PROGRESS": 409,
    "SYNC_RUN_NOT_FOUND": 404,
    "PRECONDITION_FAILED": 412,
    "IDEMPOTENCY_KEY_IN_USE": 409,
    "IDEMPOTENCY_KEY_REUSED": 422,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}


@pytest.fixture(scope="module", autouse=True)
def everything_imported() -> None:
    for module in pkgutil.walk_packages(soloist.__path__, "soloist."):
        importlib.import_module(module.name)


def test_every_code_is_a_known_one_with_its_status() -> None:
    assert {code: problem.status for code, problem in REGISTRY.items()}.items() <= (DOCUMENTED | OURS).items()


def test_codes_of_what_is_built_are_there() -> None:
    built = ("CLIENT", "CONTACT", "INTERACTION", "API_KEY", "OPPORTUNITY", "REMINDER")
    for code in DOCUMENTED | OURS:
        if code.startswith(built):
            assert code in REGISTRY


def test_each_code_is_produced_by_a_test() -> None:
    """Some test asserts it as the code of an answer."""
    asserted: set[str] = set()
    for file in Path(__file__).parent.rglob("*.py"):
        if file.name != Path(__file__).name:
            asserted |= set(re.findall(r'"([A-Z]{3,}(?:_[A-Z]+)+|UNAUTHORIZED)"', file.read_text(encoding="utf-8")))
    assert REGISTRY.keys() - asserted == set()


def test_words_are_a_sentence_for_a_person() -> None:
    for code, problem in REGISTRY.items():
        assert re.fullmatch(r"[A-Z].{10,200}\.", problem.text), code
        assert code not in problem.text


def test_two_refusals_can_not_share_a_code() -> None:
    with pytest.raises(TypeError, match="VALIDATION_ERROR"):
        type("Another", (Problem,), {"code": "VALIDATION_ERROR", "status": 400, "text": "x"})


def test_message_of_one_fault_says_it_and_of_many_counts_them() -> None:
    assert one_fault("a.b", "x", "must be c").message == "a.b: must be c"
    assert one_fault("", "x", "nothing to change").message == "nothing to change"
    many = [Fault(field=str(number), code="x", message="y") for number in range(3)]
    assert ValidationFailed(many).message == "The request has 3 faults; details names each."

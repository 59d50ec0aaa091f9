"""Our signatures verify with the packages that receivers use, of Python and of JavaScript; altered ones never do."""

import json
import random
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from soloist.events.log import body
from soloist.events.model import TYPES, ClientCreated
from soloist.infra.ids import new_id
from soloist.webhooks.signing import headers, new_secret
from tests.webhooks.hooks import node

Case = dict[str, Any]
Verify = Callable[[list[Case]], list[bool]]
ALPHABET = 'abc \t\n"\\{}<>&äßé中文🙂\u2028\u200b\x7f'


def in_python(cases: list[Case]) -> list[bool]:
    def verified(case: Case) -> bool:
        try:
            Webhook(case["secret"]).verify(case["body"], case["headers"])
        except WebhookVerificationError:
            return False
        return True

    return [verified(case) for case in cases]


@pytest.fixture(params=["python", "javascript"])
def verify(request: pytest.FixtureRequest) -> Verify:
    if request.param == "python":
        return in_python
    folder = request.getfixturevalue("js_folder")

    def in_javascript(cases: list[Case]) -> list[bool]:
        done = subprocess.run(
            [node(), "verify.mjs"], cwd=folder, input=json.dumps(cases), capture_output=True, text=True, check=True
        )
        return [verdict is True for verdict in json.loads(done.stdout)]

    return in_javascript


def signed(text: str, *secrets: str) -> Case:
    return {"secret": secrets[0], "body": text, "headers": dict(headers(new_id(), datetime.now(UTC), text, secrets))}


def bodies(count: int) -> list[str]:
    draw = random.Random(20260301)
    samples = [body(kind.sample(), datetime.now(UTC)) for kind in TYPES.values()]
    for _ in range(count - len(samples)):
        name = "".join(draw.choices(ALPHABET, k=draw.choice([0, 1, 30, 4000])))
        event = ClientCreated.sample().model_copy(update={"client_name": name})
        samples.append(body(event, datetime.now(UTC)))
    return samples


def test_a_thousand_bodies_verify(verify: Verify) -> None:
    cases = [signed(text, new_secret()) for text in bodies(1000)]
    assert verify(cases) == [True] * 1000


def test_whatever_is_altered_does_not_verify(verify: Verify) -> None:
    cases = []
    for text in bodies(100):
        good = signed(text, new_secret())
        late = str(int(good["headers"]["webhook-timestamp"]) + 1)
        other_id = "evt_" + str(uuid4())
        cases += [
            {**good, "body": text[:-1] + " }"},
            {**good, "headers": {**good["headers"], "webhook-id": other_id}},
            {**good, "headers": {**good["headers"], "webhook-timestamp": late}},
            {**good, "secret": new_secret()},
        ]
    assert verify(cases) == [False] * 400


def test_either_secret_verifies_while_they_change(verify: Verify) -> None:
    new, old = new_secret(), new_secret()
    good = signed(bodies(1)[0], new, old)
    assert verify([good, {**good, "secret": old}, {**good, "secret": new_secret()}]) == [True, True, False]

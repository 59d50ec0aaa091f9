"""Examples of signing in, the account's settings, exchange rates and API keys."""

from collections.abc import Mapping

from soloist.examples.parts import CHANGED, NEWER, STAMPS, gone
from soloist.infra.openapi import Example

ACCOUNT_ID = "018cc251-f400-7d6a-a1b2-c3d4e5f60718"
KEY_ID = "018d0b11-2a3c-7f5e-8d9c-0b1a2f3e4d5c"

ACCOUNT: Mapping[str, object] = {
    "id": ACCOUNT_ID,
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "timeZone": "Europe/London",
    "baseCurrency": "USD",
    "locale": "en",
    "weekStart": "MONDAY",
    "monetaryScale": [1000, 5000, 10000, 25000, 50000],
    "emailNotices": True,
    "digestHour": 7,
    "recalculating": False,
    "status": "ACTIVE",
    **STAMPS,
}
LOGIN: Mapping[str, object] = {"email": "ada@example.com", "password": "correct horse battery staple"}
SIGNED_IN: Mapping[str, object] = {
    "accessToken": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMThjYzI1MSJ9.c2lnbmF0dXJl",
    "refreshToken": "slr_mYt0dXJlLXJlZnJlc2gtdG9rZW4tZXhhbXBsZQ",
    "expiresIn": 900,
    "account": ACCOUNT,
}
RATES: Mapping[str, object] = {"rates": [{"currency": "EUR", "date": "2024-01-15", "rate": 1.0945}]}
API_KEY: Mapping[str, object] = {
    "id": KEY_ID,
    "name": "Zapier",
    "hint": "x9Qa",
    "scopes": ["write"],
    "expiresAt": None,
    "lastUsedAt": None,
    **STAMPS,
}


EXAMPLES: Mapping[str, Example] = {
    "register": Example(SIGNED_IN, {**LOGIN, "name": "Ada Lovelace", "timeZone": "Europe/London"}),
    "login": Example(SIGNED_IN, LOGIN),
    "refreshTokens": Example(SIGNED_IN, {"refreshToken": SIGNED_IN["refreshToken"]}),
    "logout": Example({"signedOut": True}, {"refreshToken": SIGNED_IN["refreshToken"]}),
    "forgotPassword": Example(
        {"message": "If this address has an account and mail is set up here, a link is on its way."},
        {"email": LOGIN["email"]},
    ),
    "resetPassword": Example(
        {"passwordChanged": True}, {"token": "cmVzZXQtdG9rZW4", "password": "a new and longer password"}
    ),
    "getAccount": Example(ACCOUNT),
    "updateAccount": Example({**ACCOUNT, **NEWER, "weekStart": "SUNDAY"}, {"weekStart": "SUNDAY"}),
    "getExchangeRates": Example(RATES),
    "replaceExchangeRates": Example(RATES, RATES),
    "listApiKeys": Example({"apiKeys": [API_KEY], "total": 1}),
    "createApiKey": Example({**API_KEY, "key": "slk_2h7Kd0sQpWv5Lm3Rt8Yx9Qa"}, {"name": "Zapier", "scopes": ["write"]}),
    "getApiKey": Example({**API_KEY, "lastUsedAt": CHANGED}),
    "deleteApiKey": gone(KEY_ID),
}

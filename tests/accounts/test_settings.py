"""The owner's settings and exchange rates: what may be said, what it causes."""

from datetime import date, timedelta
from typing import Any

import pytest

from soloist.accounts import actions
from soloist.accounts.unattended import unattended
from soloist.infra.db import Database
from tests.people import Member, Person, data, faults, refusal
from tests.serving import Served, SettableClock


def test_me_is_a_record_with_a_version(alice: Member) -> None:
    answer = alice.get("/me")
    assert data(answer)["version"] == 1
    assert answer.headers["etag"] == '"1"'
    changed = alice.patch("/me", {"name": "Ada"}, headers={"If-Match": '"1"'})
    assert changed.headers["etag"] == '"2"'
    assert data(changed) == data(alice.get("/me"))
    assert data(changed)["updatedAt"] > data(answer)["updatedAt"]
    stale = alice.patch("/me", {"name": "Bea"}, headers={"If-Match": '"1"'})
    assert refusal(stale, 412, "PRECONDITION_FAILED")["details"] == {"currentVersion": 2}
    assert data(alice.get("/me"))["name"] == "Ada"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"name": "Ada"}, None),
        ({"name": None}, None),
        ({"timeZone": "America/New_York"}, None),
        ({"baseCurrency": "eur"}, {"baseCurrency": "EUR"}),
        ({"locale": "pt-br"}, {"locale": "pt-BR"}),
        ({"locale": "ZH-hant-tw"}, {"locale": "zh-Hant-TW"}),
        ({"locale": "es-419"}, None),
        ({"weekStart": "SATURDAY"}, None),
        ({"emailNotices": False}, None),
        ({"digestHour": 0}, None),
        ({"digestHour": 23}, None),
        ({"digestHour": None}, None),
        ({"monetaryScale": [0.01, 0.02, 0.03, 0.04, 999999999999.99]}, None),
        ({"monetaryScale": [500, 1000, 1500.5, 2000, 3000], "baseCurrency": "CHF"}, None),
        ({"monetaryScale": [1, 2, 3.001, 4, 5], "baseCurrency": "KWD"}, None),
    ],
)
def test_only_what_is_sent_changes(alice: Member, sent: dict[str, Any], kept: dict[str, Any] | None) -> None:
    before = data(alice.get("/me"))
    after = data(alice.patch("/me", sent))
    same = before.keys() - sent.keys() - {"version", "updatedAt", "recalculating"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert {name: after[name] for name in sent} == (kept or sent)


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({}, "", "at least one field"),
        ({"email": "new@example.com"}, "email", "read-only"),
        ({"id": "x"}, "id", "read-only"),
        ({"status": "DISABLED"}, "status", "read-only"),
        ({"version": 3}, "version", "read-only"),
        ({"recalculating": False}, "recalculating", "read-only"),
        ({"timezone": "UTC"}, "timezone", "did you mean timeZone?"),
        ({"password": "1234567890"}, "password", "unknown field"),
        ({"name": ""}, "name", "must not be empty"),
        ({"name": "\u200b\u200b"}, "name", "visible"),
        ({"name": "a\nb"}, "name", "one line"),
        ({"name": "x" * 201}, "name", "200"),
        ({"name": 5}, "name", "string"),
        ({"name": "a\u0000b"}, "name", "NUL"),
        ({"timeZone": None}, "timeZone", "IANA"),
        ({"timeZone": "EST5"}, "timeZone", "IANA"),
        ({"timeZone": "+02:00"}, "timeZone", "IANA"),
        ({"timeZone": "../../etc/passwd"}, "timeZone", "IANA"),
        ({"timeZone": "Europe/Berlni"}, "timeZone", "Europe/Berlin"),
        ({"baseCurrency": None}, "baseCurrency", "ISO 4217"),
        ({"baseCurrency": "XXX"}, "baseCurrency", "ISO 4217"),
        ({"baseCurrency": "BTC"}, "baseCurrency", "ISO 4217"),
        ({"baseCurrency": "US"}, "baseCurrency", "ISO 4217"),
        ({"baseCurrency": 840}, "baseCurrency", "ISO 4217"),
        ({"locale": "english"}, "locale", "BCP 47"),
        ({"locale": "de_AT"}, "locale", "BCP 47"),
        ({"locale": None}, "locale", "BCP 47"),
        ({"weekStart": "monday"}, "weekStart", "did you mean MONDAY?"),
        ({"weekStart": None}, "weekStart", "MONDAY"),
        ({"emailNotices": None}, "emailNotices", "true or false"),
        ({"emailNotices": "yes"}, "emailNotices", "true or false"),
        ({"emailNotices": 1}, "emailNotices", "true or false"),
        ({"digestHour": 24}, "digestHour", "23"),
        ({"digestHour": -1}, "digestHour", "0"),
        ({"digestHour": 7.5}, "digestHour", "whole"),
        ({"digestHour": "7"}, "digestHour", "whole"),
        ({"digestHour": True}, "digestHour", "whole"),
        ({"digestAt": "2026-06-10T07:00:00Z"}, "digestAt", "unknown field"),
        ({"monetaryScale": None}, "monetaryScale", "five amounts"),
        ({"monetaryScale": []}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [1, 2, 3, 4]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [1, 2, 3, 4, 5, 6]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [1, 2, 2, 4, 5]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [5, 4, 3, 2, 1]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [0, 1, 2, 3, 4]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [-1, 1, 2, 3, 4]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": ["1", "2", "3", "4", "5"]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [True, 2, 3, 4, 5]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [1, 2, 3, 4, 1000000000000]}, "monetaryScale", "five amounts"),
        ({"monetaryScale": [1, 2, 3.001, 4, 5]}, "monetaryScale.2", "2 decimals"),
        ({"monetaryScale": [1.5, 2, 3, 4, 5], "baseCurrency": "JPY"}, "monetaryScale.0", "0 decimals"),
        ({"monetaryScale": {"25": 1000}}, "monetaryScale", "five amounts"),
    ],
)
def test_what_can_not_be_a_setting(alice: Member, sent: dict[str, Any], field: str, words: str) -> None:
    answer = alice.patch("/me", sent)
    assert words in faults(answer)[field]
    assert data(alice.get("/me")) == alice.account


def test_all_faults_of_a_change_are_named(alice: Member) -> None:
    sent = {
        "name": "",
        "timeZone": "x",
        "baseCurrency": "x",
        "locale": "",
        "weekStart": 1,
        "monetaryScale": [],
        "foo": 1,
    }
    assert faults(alice.patch("/me", sent)).keys() == sent.keys()


def test_a_change_is_done_once_under_its_key(alice: Member) -> None:
    first, again = (alice.patch("/me", {"name": "Ada"}, headers={"Idempotency-Key": "n"}) for _ in range(2))
    assert first.content == again.content
    assert data(alice.get("/me"))["version"] == 2


def rate(currency: str, day: str, value: float) -> dict[str, Any]:
    return {"currency": currency, "date": day, "rate": value}


def test_exchange_rates_are_replaced_and_come_back_in_order(alice: Member) -> None:
    assert data(alice.get("/me/exchange-rates")) == {"rates": []}
    given = [rate("jpy", "2024-03-01", 0.0067), rate("EUR", "2024-03-02", 1.09), rate("EUR", "2024-03-01", 1.0812345)]
    ordered = [given[2], given[1], rate("JPY", "2024-03-01", 0.0067)]
    assert data(alice.put("/me/exchange-rates", {"rates": given})) == {"rates": ordered}
    assert data(alice.get("/me/exchange-rates")) == {"rates": ordered}
    assert data(alice.put("/me/exchange-rates", {"rates": given[:1]}))["rates"] == [ordered[2]]
    assert data(alice.put("/me/exchange-rates", {"rates": []})) == {"rates": []}


def test_rates_keep_every_digit(alice: Member) -> None:
    entry = '{"currency":"%s","date":"2024-03-01","rate":%s}'
    body = f'{{"rates":[{entry % ("EUR", "1.123456789012")},{entry % ("GBP", "2.0")}]}}'
    answer = alice.request("PUT", "/me/exchange-rates", content=body, headers={"Content-Type": "application/json"})
    assert "1.123456789012" in answer.text
    assert [found["rate"] for found in data(answer)["rates"]] == [1.123456789012, 2]


def test_rates_are_the_owners_own(alice: Member, bob: Member) -> None:
    data(alice.put("/me/exchange-rates", {"rates": [rate("EUR", "2024-03-01", 1.1)]}))
    assert data(bob.get("/me/exchange-rates")) == {"rates": []}
    data(bob.put("/me/exchange-rates", {"rates": []}))
    assert len(data(alice.get("/me/exchange-rates"))["rates"]) == 1


@pytest.mark.parametrize(
    ("rates", "field", "words"),
    [
        ([rate("USD", "2024-03-01", 1)], "rates.0.currency", "base currency"),
        ([rate("EUR", "2024-03-01", 1.1), rate("eur", "2024-03-01", 1.2)], "rates.1", "given twice"),
        ([rate("ABC", "2024-03-01", 1)], "rates.0.currency", "ISO 4217"),
        ([rate("EUR", "2024-02-30", 1)], "rates.0.date", "not a day"),
        ([rate("EUR", "2024-03-01T00:00:00Z", 1)], "rates.0.date", "YYYY-MM-DD"),
        ([rate("EUR", "2024-03-01", 0)], "rates.0.rate", "above 0"),
        ([rate("EUR", "2024-03-01", -1.5)], "rates.0.rate", "above 0"),
        ([rate("EUR", "2024-03-01", 1e12)], "rates.0.rate", "below"),
        ([rate("EUR", "2024-03-01", 1e-13)], "rates.0.rate", "12 decimals"),
        ([{"currency": "EUR", "date": "2024-03-01", "rate": "1.1"}], "rates.0.rate", "not in quotes"),
        ([{"currency": "EUR", "date": "2024-03-01", "rate": None}], "rates.0.rate", "number"),
        ([{"currency": "EUR", "date": "2024-03-01"}], "rates.0.rate", "required"),
        ([{**rate("EUR", "2024-03-01", 1), "base": "USD"}], "rates.0.base", "unknown field"),
        (["EUR"], "rates.0", "object"),
        ({}, "rates", "list"),
        (None, "rates", "list"),
    ],
)
def test_what_can_not_be_a_rate(alice: Member, rates: Any, field: str, words: str) -> None:
    data(alice.put("/me/exchange-rates", {"rates": [rate("GBP", "2024-01-01", 1.27)]}))
    assert words in faults(alice.put("/me/exchange-rates", {"rates": rates}))[field]
    assert len(data(alice.get("/me/exchange-rates"))["rates"]) == 1


def test_10_000_rates_are_taken_and_not_one_more(alice: Member) -> None:
    days = [str(date(1990, 1, 1) + timedelta(days=number)) for number in range(10_001)]
    rates = [rate("EUR", day, 1.1) for day in days]
    assert len(data(alice.put("/me/exchange-rates", {"rates": rates[:-1]}))["rates"]) == 10_000
    assert "10000" in faults(alice.put("/me/exchange-rates", {"rates": rates}))["rates"].replace(",", "")


@pytest.mark.parametrize(
    ("sent", "recalculating"),
    [
        ({"baseCurrency": "EUR"}, True),
        ({"monetaryScale": [1, 2, 3, 4, 5]}, True),
        ({"monetaryScale": [1000, 5000, 10000, 25000, 50000]}, False),
        ({"baseCurrency": "USD"}, False),
        ({"timeZone": "Asia/Tokyo"}, True),  # the day of a payment, and so its rate, is a local one
        ({"name": "Ada", "locale": "ja", "weekStart": "SUNDAY"}, False),
    ],
)
def test_what_derived_figures_stand_on_has_them_made_anew(
    alice: Member, sent: dict[str, Any], recalculating: bool
) -> None:
    assert data(alice.patch("/me", sent))["recalculating"] is recalculating


def test_new_rates_have_the_figures_made_anew(alice: Member) -> None:
    data(alice.put("/me/exchange-rates", {"rates": []}))
    assert data(alice.get("/me"))["recalculating"] is True


def test_a_new_base_currency_drops_rates_in_terms_of_the_old_one(alice: Member) -> None:
    data(alice.put("/me/exchange-rates", {"rates": [rate("EUR", "2024-03-01", 1.1)]}))
    data(alice.patch("/me", {"baseCurrency": "USD"}))
    assert len(data(alice.get("/me/exchange-rates"))["rates"]) == 1
    data(alice.patch("/me", {"baseCurrency": "GBP"}))
    assert data(alice.get("/me/exchange-rates")) == {"rates": []}


async def test_a_change_during_the_recalculation_keeps_the_mark(
    server: Served, clock: SettableClock, alice: Member
) -> None:
    clock.freeze()  # the second change comes within one tick of the first

    async def mark(db: Database) -> Any:
        async with db.connection() as conn:
            account_id = alice.account["id"]
            return await conn.fetchval("select recalculating_since from accounts where account_id = $1", account_id)

    db = Database(server.dsn, size=2)
    await db.open()
    data(alice.patch("/me", {"monetaryScale": [1, 2, 3, 4, 5]}))
    first = await mark(db)
    data(alice.patch("/me", {"monetaryScale": [1, 2, 3, 4, 6]}))
    second = await mark(db)
    assert second > first
    async with db.changing(unattended(alice.account["id"], "UTC", "USD")) as tx:
        await actions.recalculated(tx, first)
    assert data(alice.get("/me"))["recalculating"] is True
    async with db.changing(unattended(alice.account["id"], "UTC", "USD")) as tx:
        await actions.recalculated(tx, second)
    after = data(alice.get("/me"))
    assert after["recalculating"] is False
    assert after["version"] == 3
    await db.close()


def test_a_stranger_sees_and_changes_nothing(stranger: Person) -> None:
    for answer in (
        stranger.get("/me"),
        stranger.patch("/me", {"name": "x"}),
        stranger.get("/me/exchange-rates"),
        stranger.put("/me/exchange-rates", {"rates": []}),
        stranger.get("/me/api-keys"),
        stranger.post("/me/api-keys", {"name": "k", "scopes": ["read"]}),
        stranger.delete("/me/api-keys/00000000-0000-0000-0000-000000000000"),
    ):
        refusal(answer, 401, "UNAUTHORIZED")
        assert "www-authenticate" in answer.headers

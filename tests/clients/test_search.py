"""Finding clients: every parameter's effect, words as people type them, facets."""

from typing import Any
from urllib.parse import quote

import pytest

from tests import make
from tests.book import run
from tests.people import Member, data, register
from tests.serving import Served


def names(owner: Member, question: str = "") -> list[str]:
    """The display names that a search lists, sorted."""
    found = data(owner.get(f"/clients?{question}"))
    shown = sorted(client["displayName"] for client in found["clients"])
    assert found["total"] == len(shown)
    return shown


@pytest.fixture(scope="module")
def book(server: Served) -> Member:
    """Six clients that differ in everything that can be asked for."""
    owner = register(server.url, "search")
    rows = [
        # name, status, source, type, tags, revenue, health, last contact
        ("Ant", "ACTIVE", "MANUAL", "COMPANY", ["a", "b", "c"], "0", 10, None),
        ("Bee", "LEAD", "REFERRAL", "INDIVIDUAL", ["b"], "100.50", 50, "2024-01-01T12:00:00Z"),
        ("Cat", "PROSPECT", "MANUAL", "COMPANY", [], "1000", 49, "2024-03-01T00:00:00Z"),
        ("Dog", "INACTIVE", "UPWORK", "INDIVIDUAL", ["a", "b"], "999999999999.99", 100, "2024-02-29T23:59:59.999Z"),
        ("Eel", "ARCHIVED", "MANUAL", "COMPANY", ["a"], "500", 70, "2024-01-01T12:00:00Z"),
        ("Fox", "ACTIVE", "WEBSITE", "COMPANY", ["A"], "100.49", 0, "2024-03-02T10:00:00Z"),
    ]
    for name, status, source, kind, tags, revenue, health, contact in rows:
        fields = {"companyName": name} if kind == "COMPANY" else {"companyName": None, "firstName": name}
        living = "ACTIVE" if status == "ARCHIVED" else status
        made = make.client(owner, clientType=kind, source=source, status=living, tags=tags, **fields)
        if status == "ARCHIVED":
            data(owner.post(f"/clients/{made['id']}/archive"))
        run(
            server,
            """update clients set total_revenue = $3::text::numeric, health_score = $4,
                last_interaction_at = $5::text::timestamptz where account_id = $1 and id = $2""",
            owner.account["id"], made["id"], revenue, health, contact,
        )  # fmt: skip
    return owner


FILTERS: dict[str, tuple[str, str]] = {
    "nothing": ("", "Ant Bee Cat Dog Fox"),
    "status": ("status=ACTIVE", "Ant Fox"),
    "statuses with a comma": ("status=ACTIVE,LEAD", "Ant Bee Fox"),
    "statuses repeated": ("status=ACTIVE&status=LEAD", "Ant Bee Fox"),
    "statuses in brackets": ("status[]=ACTIVE&status[]=LEAD", "Ant Bee Fox"),
    "statuses in encoded brackets": ("status%5B%5D=ACTIVE&status%5B%5D=LEAD", "Ant Bee Fox"),
    "statuses in all three forms": ("status=ACTIVE,LEAD&status=PROSPECT&status[]=INACTIVE", "Ant Bee Cat Dog Fox"),
    "the same status twice": ("status=LEAD&status=LEAD,LEAD", "Bee"),
    "comma at the end": ("status=LEAD,", "Bee"),
    "archived": ("status=ARCHIVED", "Eel"),
    "archived and others": ("status=ARCHIVED,INACTIVE", "Dog Eel"),
    "all statuses": ("status=LEAD,PROSPECT,ACTIVE,INACTIVE,ARCHIVED", "Ant Bee Cat Dog Eel Fox"),
    "source": ("source=MANUAL", "Ant Cat"),
    "sources": ("source=UPWORK,WEBSITE", "Dog Fox"),
    "type": ("clientType=INDIVIDUAL", "Bee Dog"),
    "both types": ("clientType=INDIVIDUAL&clientType=COMPANY", "Ant Bee Cat Dog Fox"),
    "tag": ("tags=a", "Ant Dog"),
    "tags must all match": ("tags=a,b", "Ant Dog"),
    "tags must all match, repeated": ("tags=a&tags=b&tags=c", "Ant"),
    "tag that nobody has": ("tags=z", ""),
    "case of a tag matters": ("tags=A", "Fox"),
    "revenue": ("minTotalRevenue=1000", "Cat Dog"),
    "revenue to the cent": ("minTotalRevenue=100.50", "Bee Cat Dog"),
    "revenue of zero": ("minTotalRevenue=0", "Ant Bee Cat Dog Fox"),
    "the most revenue": ("minTotalRevenue=999999999999.99", "Dog"),
    "health": ("minHealthScore=50", "Bee Dog"),
    "half a point of health": ("minHealthScore=49.5", "Bee Dog"),
    "full health": ("minHealthScore=100", "Dog"),
    "no health": ("minHealthScore=0", "Ant Bee Cat Dog Fox"),
    "last contact by a day, which counts in": ("lastInteractionBefore=2024-02-29", "Ant Bee Dog"),
    "last contact by the day after": ("lastInteractionBefore=2024-03-01", "Ant Bee Cat Dog"),
    "last contact by a moment, which counts in": ("lastInteractionBefore=2024-03-01T00:00:00Z", "Ant Bee Cat Dog"),
    "last contact just before": ("lastInteractionBefore=2024-02-29T23:59:59.998Z", "Ant Bee"),
    "last contact with an offset": ("lastInteractionBefore=2024-03-01T05:30:00%2B05:30", "Ant Bee Cat Dog"),
    "never contacted": ("lastInteractionBefore=1970-01-01", "Ant"),
    "everything at once": (
        "query=a&status=ACTIVE&source=MANUAL&clientType=COMPANY&tags=c&minTotalRevenue=0&minHealthScore=10"
        "&lastInteractionBefore=2024-01-01&sortBy=healthScore&sortOrder=asc&page=1&limit=5&facets=true",
        "Ant",
    ),
    "archived with other filters": ("status=ARCHIVED&tags=a&minHealthScore=70", "Eel"),
}


@pytest.mark.parametrize(("query", "shown"), FILTERS.values(), ids=FILTERS)
def test_filter_narrows_the_list_and_the_total(book: Member, query: str, shown: str) -> None:
    assert names(book, query) == shown.split()


def test_day_of_a_filter_is_the_accounts_local_day(server: Served) -> None:
    for zone, shown in (("Pacific/Auckland", ["late"]), ("America/Los_Angeles", ["early", "late"])):
        owner = register(server.url, timeZone=zone)
        for name, moment in (("early", "2024-03-01T23:00:00Z"), ("late", "2024-03-01T09:00:00Z")):
            made = make.client(owner, companyName=name)
            make.interaction(owner, made["id"], occurredAt=moment)
        assert names(owner, "lastInteractionBefore=2024-03-01") == shown


# --- words ---

CLIENTS: dict[str, dict[str, Any]] = {
    "Müller & Söhne GmbH": {"companyName": "Müller & Söhne GmbH", "email": "kontakt@mueller.example"},
    "Café Crème Brûlée": {"companyName": "Café Crème Brûlée"},
    "Groß Straße": {"companyName": "Groß Straße"},
    "100% Cotton": {"companyName": "100% Cotton"},
    "under_score": {"companyName": "under_score"},
    "Back\\slash": {"companyName": "Back\\slash"},
    "Pat O'Brien-Smith": {
        "clientType": "INDIVIDUAL",
        "companyName": None,
        "firstName": "Pat",
        "lastName": "O'Brien-Smith",
    },
    "Ada King": {"clientType": "INDIVIDUAL", "companyName": "Analytical Ltd", "firstName": "Ada", "lastName": "King"},
    "Øresund": {"companyName": "Øresund Łódź"},
    "Ελλάς": {"companyName": "Ελλάς \u0391\u0395"},
    "Москва": {"companyName": "Москва Ёлка"},
    "北京公司": {"companyName": "北京公司"},
}


@pytest.fixture(scope="module")
def words(server: Served) -> Member:
    owner = register(server.url, "words")
    for fields in CLIENTS.values():
        make.client(owner, **fields)
    acme = make.client(owner, companyName="Acme")
    make.contact(owner, acme["id"], firstName="Zoë", lastName="Saldaña", email="hidden@contact.example")
    make.contact(owner, acme["id"], firstName="Björn", isPrimary=True)
    return owner


QUERIES: dict[str, tuple[str, str]] = {
    "part of a name": ("üll", "Müller & Söhne GmbH"),
    "without accents": ("muller", "Müller & Söhne GmbH"),
    "in capitals": ("MÜLLER", "Müller & Söhne GmbH"),
    "decomposed accents": ("Mu\u0308ller", "Müller & Söhne GmbH"),
    "accent where there is none": ("çotton", "100% Cotton"),
    "all accents away": ("creme brulee", "Café Crème Brûlée"),
    "words in any order": ("brûlée café", "Café Crème Brûlée"),
    "every word must match": ("café tea", ""),
    "ss finds ß": ("strasse", "Groß Straße"),
    "ß finds ß": ("straße", "Groß Straße"),
    "ẞ finds ß": ("GROẞ", "Groß Straße"),
    "percent is a percent sign": ("100%", "100% Cotton"),
    "percent alone": ("%", "100% Cotton"),
    "percent inside is no wildcard": ("1%0", ""),
    "underscore is an underscore": ("r_s", "under_score"),
    "underscore is no wildcard": ("underXscore", ""),
    "backslash": ("back\\slash", "Back\\slash"),
    "backslash alone": ("\\", "Back\\slash"),
    "apostrophe": ("o'brien", "Pat O'Brien-Smith"),
    "second half of a double name": ("smith", "Pat O'Brien-Smith"),
    "first and last name": ("pat smith", "Pat O'Brien-Smith"),
    "company of a person": ("analytical", "Ada King"),
    "person of a company": ("ada", "Ada King"),
    "e-mail": ("kontakt@mueller.example", "Müller & Söhne GmbH"),
    "part of an e-mail": ("mueller.ex", "Müller & Söhne GmbH"),
    "contact": ("saldana", "Acme"),
    "two contacts": ("zoe bjorn", "Acme"),
    "contact and client": ("acme björn", "Acme"),
    "a contact's e-mail is not searched": ("hidden@contact", ""),
    "Nordic and Polish": ("oresund lodz", "Øresund"),
    "Greek": ("ελλας", "Ελλάς"),
    "Cyrillic": ("москва", "Москва"),
    "Chinese": ("北京", "北京公司"),
    "full-width letters": ("\uff41\uff43\uff4d\uff45", "Acme"),
    "one letter begins a word": ("k", "Müller & Söhne GmbH,Ada King"),
    "one letter inside a word finds nothing": ("x", ""),
    "two letters begin a word": ("ki", "Ada King"),
    "two letters inside a word find nothing": ("in", ""),
    "two letters after a hyphen begin a word": ("sm", "Pat O'Brien-Smith"),
    "two letters after an @ begin a word": ("mu", "Müller & Söhne GmbH"),
    "three letters inside a word": ("ing", "Ada King"),
    "spaces around": ("  acme  ", "Acme"),
    "no-break space parts words": ("creme\u00a0cafe", "Café Crème Brûlée"),
    "SQL": ("' or 1=1 --", ""),
    "regular expression": (".*", ""),
    "200 characters": ("a" * 200, ""),
}


@pytest.mark.parametrize(("query", "shown"), QUERIES.values(), ids=QUERIES)
def test_words_find_names_as_people_type_them(words: Member, query: str, shown: str) -> None:
    full = {name: str(CLIENTS.get(name, {}).get("companyName") or name) for name in [*CLIENTS, "Acme"]}
    assert names(words, f"query={quote(query)}") == sorted(full[name] for name in shown.split(",") if name)


@pytest.mark.parametrize("query", ["", "   ", "\t"])
def test_query_without_words_finds_everything(words: Member, query: str) -> None:
    assert len(names(words, f"query={quote(query)}")) == len(CLIENTS) + 1


def test_contact_names_are_searched_as_they_are_now(alice: Member) -> None:
    client = make.client(alice)
    contact = make.contact(alice, client["id"], firstName="Grace")
    path = f"/clients/{client['id']}/contacts/{contact['id']}"
    assert names(alice, "query=grace") == ["Acme Corporation"]
    data(alice.patch(path, {"firstName": "Edith", "lastName": "Clarke"}))
    assert (names(alice, "query=grace"), names(alice, "query=edith%20clarke")) == ([], ["Acme Corporation"])
    data(alice.delete(path))
    assert names(alice, "query=edith") == []


# --- facets ---


def test_facets_count_the_matches(book: Member) -> None:
    facets = data(book.get("/clients?facets=true"))["facets"]
    assert facets == {
        "status": {"ACTIVE": 2, "INACTIVE": 1, "LEAD": 1, "PROSPECT": 1},
        "source": {"MANUAL": 2, "REFERRAL": 1, "UPWORK": 1, "WEBSITE": 1},
        "tags": {"b": 3, "a": 2, "A": 1, "c": 1},
    }
    assert list(facets["tags"]) == ["b", "a", "A", "c"]
    narrowed = data(book.get("/clients?facets=true&tags=a&status=ARCHIVED,ACTIVE&limit=1"))
    assert narrowed["facets"] == {
        "status": {"ACTIVE": 1, "ARCHIVED": 1},
        "source": {"MANUAL": 2},
        "tags": {"a": 2, "b": 1, "c": 1},
    }


def test_facets_come_only_when_asked_for(book: Member) -> None:
    assert "facets" not in data(book.get("/clients"))
    assert "facets" not in data(book.get("/clients?facets=false"))
    nothing = data(book.get("/clients?facets=true&query=nobody"))
    assert nothing["facets"] == {"status": {}, "source": {}, "tags": {}}


def test_facets_show_the_twenty_most_used_tags(alice: Member) -> None:
    for number in range(3):
        make.client(alice, tags=[f"t{tag:02}" for tag in range(25) if tag % 3 <= number])
    tags = data(alice.get("/clients?facets=true"))["facets"]["tags"]
    counts = {f"t{tag:02}": 3 - tag % 3 for tag in range(25)}
    expected = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:20]
    assert list(tags.items()) == expected

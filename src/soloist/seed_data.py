"""A believable freelancer's book: invented people, companies, and what passed between them and the freelancer.

Pure: the same seed gives the same stories. Every address is in `.example`, which nobody can own.
"""

import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
WORDS: dict[str, Any] = {
    name: value.split() if isinstance(value, str) else value
    for name, value in tomllib.loads(Path(__file__).with_name("seed_words.toml").read_text(encoding="utf-8")).items()
}

Temper = tuple[tuple[int, int], tuple[int, int], str]
# How a client is to work with: hours until a reply (from, to), days until an invoice is paid, moods of notes.
WARM = ((1, 10), (2, 14), "ppppnn")
STEADY = ((4, 40), (7, 30), "ppnnnn")
SLOW = ((40, 160), (20, 45), "pnnnnm")
DIFFICULT = ((20, 220), (30, 70), "pnnmmm")
TEMPERS = (WARM,) * 3 + (STEADY,) * 4 + (SLOW,) * 2 + (DIFFICULT,)
CURRENCIES = ("USD",) * 7 + ("EUR",) * 2 + ("GBP",)
# What happens in one stretch of work, weighted by repetition; "?" is a question that waits for its answer.
BEATS = ("?", "?", "?", "CALL", "VIDEO_CALL", "MEETING", "MESSAGE", "bill", "bill", "FEEDBACK_RECEIVED", "done")
STATUSES = ("LEAD",) * 10 + ("PROSPECT",) * 15 + ("ACTIVE",) * 55 + ("INACTIVE",) * 14 + ("ARCHIVED",) * 6


class SeedRefused(Exception):
    """The account has clients already: invented ones are never mixed with real ones."""


class Dice(Random):
    """Chance that is the same for the same start; picks several times faster than `choice`, which is never biased."""

    def pick(self, among: Sequence[T]) -> T:
        """One of them, each as likely."""
        return among[int(self.random() * len(among))]

    def whole(self, least: int, below: int, step: int = 1) -> int:
        """A whole number from `least` on, `below` left out, in steps."""
        return least + step * int(self.random() * ((below - least + step - 1) // step))


class Entry(NamedTuple):
    """Something that passed; `contact` counts the story's contacts, `amount` is money received."""

    at: datetime
    kind: str
    subject: str
    notes: str | None
    is_outbound: bool
    duration: int | None = None
    contact: int | None = None
    amount: int | None = None
    currency: str | None = None
    follow_up: date | None = None


@dataclass(slots=True)
class Story:
    """One client's whole story, in the API's own field names; `moves` are status changes in time."""

    started: datetime
    client: dict[str, object]
    contacts: list[dict[str, object]]
    entries: list[Entry] = field(default_factory=list)
    moves: list[tuple[datetime, str]] = field(default_factory=list)


class Book:
    """The stories of one account up to `now`, to be asked for in order: no two have the same address."""

    def __init__(self, seed: int, account: int, now: datetime, months: int, most: int = 20) -> None:
        self._seed = f"{seed}:{account}"
        self._now = now
        self._days = months * 30
        self._most = most
        self._taken: set[str] = set()

    def stories(self, count: int) -> Iterator[Story]:
        """`count` stories; the first ones are the same whatever the count."""
        for number in range(count):
            yield self._story(Dice(f"{self._seed}:{number}"))  # repeatable, nothing secret

    def _story(self, rng: Dice) -> Story:
        status = rng.pick(STATUSES)
        temper = rng.pick(TEMPERS)
        industry = rng.pick(tuple(WORDS["industries"]))
        projects = WORDS["industries"][industry][1].split("|")
        client, contacts = self._people(rng, industry)
        story = Story(self._start(rng, status), client, contacts)
        story.entries = _Plot(rng, story, temper, projects, self._now, self._most).played(status)
        story.moves = _moves(story, status, self._now)
        if status in ("LEAD", "PROSPECT", "ACTIVE") and story.entries and rng.random() < 0.3:
            day = (self._now + timedelta(days=rng.whole(1, 21))).date()
            story.entries[-1] = story.entries[-1]._replace(follow_up=day)
        return story

    def _people(self, rng: Dice, industry: str) -> tuple[dict[str, object], list[dict[str, object]]]:
        person, last = rng.pick(WORDS["first"]), rng.pick(WORDS["last"])
        city, country, zone, phone = rng.pick(WORDS["cities"])
        size = rng.pick(WORDS["sizes"])
        company = size != "SOLO" or rng.random() < 0.3
        name = _company(rng, industry, last)
        domain = self._domain(name if company else f"{person} {last}")
        mail = f"{_slug(person)}@{domain}"
        client: dict[str, object] = {
            "clientType": "COMPANY" if company else "INDIVIDUAL",
            "source": rng.pick(WORDS["sources"]),
            "status": "LEAD",
            "email": f"hello@{domain}" if company else mail,
            "phone": f"{phone}{rng.whole(100, 1000)}",
            "industry": industry,
            "companySize": size,
            "timezone": zone,
            "tags": sorted(rng.sample(WORDS["tags"], rng.pick((0, 1, 1, 2, 3)))),
            "address": {"city": city, "country": country},
        }
        if not company:
            return client | {"firstName": person, "lastName": last}, []
        client |= {"companyName": name, "website": f"https://{domain}"}
        contacts = []
        for place in range(rng.pick((1, 1, 2, 3))):
            role, job = rng.pick(WORDS["jobs"])
            contacts.append(
                {
                    "firstName": person,
                    "lastName": last,
                    "email": f"{_slug(person)}.{_slug(last)}@{domain}",
                    "role": role,
                    "jobTitle": job,
                    "isPrimary": place == 0,
                    "preferredContactMethod": rng.pick(WORDS["methods"]),
                }
            )
            person, last = rng.pick(WORDS["first"]), rng.pick(WORDS["last"])
        return client, contacts

    def _domain(self, name: str) -> str:
        slug = _slug(name)
        free, number = slug, 2
        while free in self._taken:
            free, number = f"{slug}-{number}", number + 1
        self._taken.add(free)
        return f"{free}.example"

    def _start(self, rng: Dice, status: str) -> datetime:
        least, most = {
            "LEAD": (0, 40),
            "PROSPECT": (10, 100),
            "ACTIVE": (30, 10_000),
            "INACTIVE": (150, 10_000),
            "ARCHIVED": (180, 10_000),
        }[status]
        first, last = min(least, self._days), min(most, self._days)
        start = self._now - timedelta(days=rng.uniform(first, last), hours=1)
        at_work = _at_work(start, rng)
        return at_work if at_work < self._now else start


class _Plot:
    """What passes with one client, in the order it happens."""

    def __init__(self, rng: Dice, story: Story, temper: Temper, projects: list[str], now: datetime, most: int) -> None:
        self._rng = rng
        self._persons = len(story.contacts)
        self._reply_hours, self._pay_days, self._moods = temper
        self._projects = projects
        self._it = rng.pick(projects)
        self._now = now
        self._most = most
        self._at = story.started
        self._entries: list[Entry] = []
        self._fee = rng.pick((400, 800, 1200, 1500, 2400, 3600, 5200))
        self._currency = rng.pick(CURRENCIES)

    def played(self, status: str) -> list[Entry]:
        """All entries of a client that ends up with `status`, oldest first, none after now."""
        self._ask("EMAIL")
        if status == "LEAD":
            self._after(2, 12)
            self._say("CALL")
        else:
            self._after(1, 6)
            self._say("VIDEO_CALL")
            self._after(1, 4)
            self._plain("PROPOSAL_SENT")
        if status not in ("LEAD", "PROSPECT"):
            self._after(2, 8)
            self._plain("CONTRACT_SIGNED")
            quiet = timedelta(days=self._rng.whole(70, 171)) if status != "ACTIVE" else timedelta(0)
            self._work(self._now - quiet)
        return sorted(entry for entry in self._entries if entry.at <= self._now)

    def _work(self, end: datetime) -> None:
        target = self._rng.whole(self._most // 2, self._most + 1)
        days = max((end - self._at) / timedelta(days=1), 1.0)
        gap = days / max(1.0, (target - len(self._entries)) / 1.5)
        while self._at < end and len(self._entries) < target:
            self._after(gap * 0.5, gap * 1.5)
            beat = self._rng.pick(BEATS)
            if beat == "?":
                self._ask(self._rng.pick(("EMAIL", "EMAIL", "MESSAGE")))
            elif beat == "bill":
                self._bill()
            elif beat == "done":
                self._plain("PROJECT_COMPLETED")
                self._it = self._rng.pick(self._projects)
            else:
                self._say(beat)

    def _ask(self, kind: str) -> None:
        """The freelancer writes, and most times the client answers."""
        subject, _, notes = self._rng.pick(WORDS["said"][kind]["n"]).format(it=self._it).partition("|")
        self._add(kind, subject, notes, outbound=True)
        if self._rng.random() < 0.9:
            self._at += timedelta(hours=self._rng.uniform(*self._reply_hours))
            self._say(kind)

    def _say(self, kind: str) -> None:
        said = WORDS["said"][kind][self._rng.pick(self._moods)]
        subject, _, notes = self._rng.pick(said).format(it=self._it).partition("|")
        talked = kind in ("CALL", "VIDEO_CALL", "MEETING")
        self._add(kind, subject, notes, outbound=False, duration=self._rng.whole(15, 121, 5) if talked else None)

    def _bill(self) -> None:
        self._plain("INVOICE_SENT")
        if self._rng.random() < 0.9:
            self._at += timedelta(days=self._rng.uniform(*self._pay_days))
            self._plain("PAYMENT_RECEIVED", self._fee * self._rng.pick((1, 1, 1, 2, 3)))

    def _plain(self, kind: str, amount: int | None = None) -> None:
        subject, _, notes = WORDS["plain"][kind].format(it=self._it).partition("|")
        outbound = kind not in ("PAYMENT_RECEIVED", "CONTRACT_SIGNED")
        self._add(kind, subject, notes or None, outbound=outbound, amount=amount)

    def _add(
        self, kind: str, subject: str, notes: str | None, *, outbound: bool,
        duration: int | None = None, amount: int | None = None,
    ) -> None:  # fmt: skip
        person = self._rng.whole(0, self._persons) if self._persons else None
        currency = self._currency if amount is not None else None
        self._at = _at_work(self._at, self._rng)
        self._entries.append(Entry(self._at, kind, subject, notes, outbound, duration, person, amount, currency))

    def _after(self, least: float, most: float) -> None:
        self._at += timedelta(days=self._rng.uniform(least, most))


def _moves(story: Story, status: str, now: datetime) -> list[tuple[datetime, str]]:
    """When the client became what it is: by its proposal a prospect, by its contract active, by its silence not."""
    at = {entry.kind: entry.at for entry in reversed(story.entries)}
    moves = [
        (at[kind], to) for kind, to in (("PROPOSAL_SENT", "PROSPECT"), ("CONTRACT_SIGNED", "ACTIVE")) if kind in at
    ]
    if status in ("INACTIVE", "ARCHIVED") and story.entries:
        last = max(entry.at for entry in story.entries)
        moves.append((min(last + timedelta(days=60), now), status))
    return moves


def _company(rng: Dice, industry: str, last: str) -> str:
    place, word, form = (
        rng.pick(WORDS["places"]),
        rng.pick(WORDS["industries"][industry][0].split()),
        rng.pick(WORDS["forms"]),
    )
    stem = rng.pick((f"{place} {word}", f"{last} {word}", f"{last} & {rng.pick(WORDS['last'])}", f"{place} & {last}"))
    return f"{stem} {form}".strip()


def _slug(name: str) -> str:
    """The name as it stands in an address: lower-case ASCII letters and digits, words joined."""
    return "".join(map(_letters, name.split()))


@lru_cache(maxsize=4096)
def _letters(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.replace("ø", "o").replace("&", "and"))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum()).lower()


def _at_work(at: datetime, rng: Dice) -> datetime:
    """The next moment of a working day, never before `at`."""
    at += timedelta(minutes=5 - at.minute % 5, seconds=-at.second, microseconds=-at.microsecond)
    if at.hour >= 18:
        at = (at + timedelta(days=1)).replace(hour=0)
    if at.weekday() >= 5:
        at = (at + timedelta(days=7 - at.weekday())).replace(hour=0)
    return at.replace(hour=rng.whole(8, 13)) if at.hour < 8 else at

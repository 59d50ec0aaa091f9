"""Sentiment of notes: accuracy on labelled notes, trade words, other languages, hostile text, speed.

The README's figures: `pytest -s tests/interactions/test_sentiment.py -k figures`. Labels: POSITIVE when
the client is pleased or business moved forward, NEGATIVE when displeased or business suffers, else
NEUTRAL. One author wrote notes and lexicon, so the figures flatter. The held-out notes were written
before the lexicon's first weight or after its last, and none was set for one of them (but one that was
taken for another language led to more everyday words for the language test).
"""

import gc
import json
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pytest
from vader import SentimentIntensityAnalyzer

from soloist.interactions.lexicon import FILLERS
from soloist.interactions.sentiment import (
    NOT_ANALYSED,
    Analyser,
    BusinessVader,
    Reading,
    Sentiment,
    SentimentSource,
    analyse,
)
from tests.interactions.sentences import OTHER_LANGUAGES, SHORT_ENGLISH

NOTES = Path(__file__).parents[1] / "data" / "labelled_notes.jsonl"


class Note(NamedTuple):
    split: str
    label: Sentiment
    subject: str
    notes: str | None

    @property
    def text(self) -> str:
        return f"{self.subject}\n{self.notes or ''}"


class PlainVader:
    """The library as it comes, with the thresholds its authors recommend."""

    def __init__(self) -> None:
        self._vader = SentimentIntensityAnalyzer()

    def read(self, text: str) -> Reading:
        score = self._vader.polarity_scores(text)["compound"]
        side = Sentiment.NEUTRAL
        if abs(score) >= 0.05:
            side = Sentiment.POSITIVE if score > 0 else Sentiment.NEGATIVE
        return Reading(side, SentimentSource.ANALYSED, (), score)


def labelled_notes() -> list[Note]:
    rows = [json.loads(line) for line in NOTES.read_text(encoding="utf-8").splitlines()]
    return [Note(row["split"], Sentiment(row["label"]), row["subject"], row["notes"]) for row in rows]


def accuracy(analyser: Analyser, split: str) -> float:
    notes = [note for note in labelled_notes() if note.split == split]
    return sum(analyser.read(note.text).sentiment is note.label for note in notes) / len(notes)


def test_labelled_notes_are_many_balanced_and_distinct() -> None:
    notes = labelled_notes()
    assert len(notes) >= 240
    assert len({note.text for note in notes}) == len(notes)
    counts = Counter((note.split, note.label) for note in notes)
    assert len(counts) == 6
    assert len(set(counts.values())) == 1


def test_lexicon_holds_no_dead_words() -> None:
    """A filler in a phrase, a silenced word VADER never had, a correction to nothing: none can act."""
    data = tomllib.loads((files("soloist.interactions") / "business_lexicon.toml").read_text("utf-8"))
    vader = SentimentIntensityAnalyzer().lexicon
    for pattern in data["phrases"]:
        steps = [step for step in pattern.split() if step != ".."]
        assert len(steps) >= 2, pattern
        assert not any(set(step.split("/")) <= FILLERS for step in steps), pattern
        assert ".." not in (pattern.split()[0], pattern.split()[-1]), pattern
    silenced = " ".join(data["silenced"].values()).split()
    assert [word for word in silenced if word not in vader or word in data["words"]] == []
    weights = [*data["words"].values(), *data["phrases"].values(), *data["signs"].values()]
    assert all(-4 <= weight <= 4 for weight in weights)
    assert [word for word in data["spellings"] if word in vader or word in data["words"]] == []


def test_figures(capsys: pytest.CaptureFixture[str]) -> None:
    plain = {split: accuracy(PlainVader(), split) for split in ("tuning", "held_out")}
    ours = {split: accuracy(BusinessVader(), split) for split in ("tuning", "held_out")}
    with capsys.disabled():
        for split, share in ours.items():
            sys.stdout.write(f"\n{split}: plain VADER {plain[split]:.1%}, business lexicon {share:.1%}")
        sys.stdout.write("\n")
    assert ours["held_out"] >= 0.85
    assert ours["held_out"] - plain["held_out"] >= 0.12


def test_an_opposite_verdict_is_rare() -> None:
    opposite = {Sentiment.POSITIVE: Sentiment.NEGATIVE, Sentiment.NEGATIVE: Sentiment.POSITIVE}
    notes = [note for note in labelled_notes() if note.split == "held_out"]
    readings = [(analyse(note.subject, note.notes), note) for note in notes]
    wrong = [note for reading, note in readings if reading.sentiment is opposite.get(note.label)]
    assert len(wrong) / len(notes) <= 0.05


@pytest.mark.parametrize(
    "text",
    [
        "Deadline is 30 June",
        "Discussed the deadline and the invoice",
        "Kill the feature flag after the release",
        "Invoice sent",
        "Critical path runs through the API work",
        "Crash course on the CMS for six editors",
        "Late May works for the shoot",
        "Call in the late afternoon",
        "Let me know if you have any questions or problems",
        "Best practices for the newsletter",
        "Stress test of the checkout on Monday",
        "PO 4711 is in the folder",
        "Looking for help with a shop relaunch",
        "The free trial ends on the 4th",
        "Risk register and pain points collected",
        "Shared the secure folder with the agency",
        "Wants to know whether they would like two columns",
        "Train was cancelled, we talk by phone",
        "Thank you for your message",
        "Drafted the complaint form and the refund policy",
    ],
)
def test_trade_words_say_nothing(text: str) -> None:
    assert analyse(text, None).sentiment is Sentiment.NEUTRAL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dispute resolved", Sentiment.POSITIVE),
        ("The crash is resolved, dispute settled", Sentiment.POSITIVE),
        ("Outstanding work, she said", Sentiment.POSITIVE),
        ("The outstanding balance is the third this year", Sentiment.NEGATIVE),
        ("No complaints so far", Sentiment.POSITIVE),
        ("No. Great call though", Sentiment.POSITIVE),
        ("They are not happy", Sentiment.NEGATIVE),
        ("She wasn’t unhappy with it", Sentiment.POSITIVE),
        ("He will never recommend us", Sentiment.NEGATIVE),
        ("Loved the design, but they refuse to pay", Sentiment.NEGATIVE),
        ("They pushed the deadline", Sentiment.NEGATIVE),
        ("Deadline was pushed back", Sentiment.NEGATIVE),
        ("Scope creep", Sentiment.NEGATIVE),
        ("He ghosted me", Sentiment.NEGATIVE),
        ("Invoice still unpaid and overdue", Sentiment.NEGATIVE),
        ("They won't be paying us", Sentiment.NEGATIVE),
        ("They signed the revised contract", Sentiment.POSITIVE),
        ("They signed a contract", Sentiment.POSITIVE),
        ("Contract signed", Sentiment.POSITIVE),
        ("She is thrilled", Sentiment.POSITIVE),
        ("she is dissapointed", Sentiment.NEGATIVE),
        ("sooooo happyyyy with the logo", Sentiment.POSITIVE),
        ("GREAT WORK ON THE LOGO", Sentiment.POSITIVE),
        ("Paid the second invoice on time", Sentiment.POSITIVE),
        ("👍", Sentiment.POSITIVE),
        ("New logo 😡", Sentiment.NEGATIVE),
        ("They liked it :)", Sentiment.POSITIVE),
        ("Happy with the texts, unhappy with the pictures", Sentiment.NEUTRAL),
    ],
)
def test_business_words_phrases_negation_and_signs(text: str, expected: Sentiment) -> None:
    reading = analyse(text, None)
    assert reading.sentiment is expected
    assert reading.source is SentimentSource.ANALYSED


PRAISE = ["good", "great", "nice", "happy", "lovely", "wonderful", "brilliant", "amazing", "awesome"]


def test_reading_names_the_words_that_decided() -> None:
    assert analyse("Call", "They are not really happy.\nCoffee at ten.").words == ("not really happy",)
    assert analyse("Call", "They signed the new contract.").words == ("signed the new contract",)
    assert analyse("Call", "Pushed the deadline again, ghosted us twice.").words == (
        "pushed the deadline",
        "ghosted",
    )
    assert analyse("Some good", "some awful").words == ("good", "awful")
    assert len(analyse("Call", "; ".join(PRAISE)).words) == 8


def test_text_without_known_word_is_not_analysed() -> None:
    for subject, notes in (
        ("Kickoff meeting", "Tuesday at ten with Jane and Oliver"),
        ("", None),
        ("", ""),
        ("   ", "\n\n"),
        ("4711", "12 / 13"),
        ("?", "…"),
    ):
        assert analyse(subject, notes) == NOT_ANALYSED
    assert Reading(Sentiment.NEUTRAL, SentimentSource.NONE, (), 0.0) == NOT_ANALYSED


def test_subject_alone_and_notes_alone_count_alike() -> None:
    assert analyse("Great feedback", None) == analyse("Great feedback", "") == analyse("", "Great feedback")


FOREIGN_TEXTS = [line.strip() for block in OTHER_LANGUAGES.values() for line in block.strip().splitlines()]


@pytest.mark.parametrize("text", FOREIGN_TEXTS)
def test_another_language_is_not_analysed(text: str) -> None:
    assert analyse(text, None) == NOT_ANALYSED


@pytest.mark.parametrize("text", [line.strip() for line in SHORT_ENGLISH.strip().splitlines()])
def test_short_english_is_analysed(text: str) -> None:
    reading = analyse(text, None)
    assert reading.source is SentimentSource.ANALYSED
    assert reading.sentiment is not Sentiment.NEUTRAL


def test_every_labelled_note_with_an_opinion_passes_for_english() -> None:
    """A refused note reads NONE: of those labelled with a side, hardly any may be."""
    sides = [note for note in labelled_notes() if note.label is not Sentiment.NEUTRAL]
    refused = [note for note in sides if analyse(note.subject, note.notes) == NOT_ANALYSED]
    assert len(refused) / len(sides) <= 0.06


def test_foreign_words_in_an_english_note_do_not_silence_it() -> None:
    reading = analyse("Call with Herr Grün", "Spoke about the Rechnung and the Mahnung. He was very happy.")
    assert reading.sentiment is Sentiment.POSITIVE


LONG = 10_000
HOSTILE = {
    "one giant word": "a" * LONG,
    "exclamation marks": "!" * LONG,
    "mixed punctuation": "!?.,;:" * (LONG // 6),
    "emoji storm": "😡🎉❤️👨‍👩‍👧" * (LONG // 9),
    "skin tones": "👍🏽" * (LONG // 2),
    "good": "good " * (LONG // 5),
    "not bad": "not bad " * (LONG // 8),
    "one sentence a word": "bad. " * (LONG // 5),
    "one line a word": "no\n" * (LONG // 3),
    "phrase beginnings": "not what we " * (LONG // 12),
    "gaps that never close": "not a b c " * (LONG // 10),
    "gaps over and over": "push not want budget the " * (LONG // 25),
    "hyphens": "a-" * (LONG // 2),
    "apostrophes": "a'" * (LONG // 2),
    "decimals": "1." * (LONG // 2),
    "spaces": " " * LONG,
    "newlines": "\n" * LONG,
    "dashes": " - " * (LONG // 3),
    "sign-offs": "\nbest " * (LONG // 6),
    "stretched": ("a" * 30 + " ") * (LONG // 31),
    "but": "but good " * (LONG // 9),
    "very": "very very very good " * (LONG // 20),
    "combining marks": "e\u0301\u0323" * (LONG // 3),
    "right to left": "\u202eabc\u202c " * (LONG // 6),
    "surrogate-free astral": "\U0001d518" * LONG,
    "private use": "\ue000\ue001 " * (LONG // 3),
    "dotted capital i": "İ" * LONG,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_judged_quickly(text: str) -> None:
    analyse("warm", "up")
    assert min(_cpu_seconds(text) for _ in range(3)) < 0.05


def _cpu_seconds(text: str) -> float:
    started = time.thread_time()
    reading = analyse(text[:255], text)
    taken = time.thread_time() - started
    assert -1 <= reading.score <= 1
    return taken


def test_text_is_neither_logged_nor_kept(caplog: pytest.LogCaptureFixture) -> None:
    secret = "Zanzibar"
    with caplog.at_level(0):
        first = analyse(f"Great call with {secret}", f"{secret} was rude")
    assert caplog.records == []
    assert secret.lower() not in repr(first).lower()
    gc.collect()
    kept = [held for held in gc.get_objects() if isinstance(held, list | tuple) and secret.lower() in held]
    assert kept == []


def test_private_use_characters_are_no_phrases() -> None:
    assert analyse("Good \ue000\ue001\ue002\ue003", None) == analyse("Good", None)


def test_ordinary_note_takes_less_than_150_microseconds(capsys: pytest.CaptureFixture[str]) -> None:
    notes = labelled_notes()
    analyse("warm", "up")
    rounds = []
    for _ in range(20):  # the best of many: other work on the machine only adds
        started = time.thread_time()
        for note in notes:
            analyse(note.subject, note.notes)
        rounds.append((time.thread_time() - started) / len(notes))
    with capsys.disabled():
        sys.stdout.write(f"\n{min(rounds) * 1e6:.0f} µs of CPU a note\n")
    assert min(rounds) < 150e-6


def test_importing_costs_little_and_builds_nothing() -> None:
    program = (
        # What every program of ours has loaded anyway is not ours to count.
        "import dataclasses, enum, functools, pathlib, re, time, tomllib, typing\n"
        "started = time.process_time()\n"
        "import soloist.interactions.sentiment as sentiment\n"
        "taken = time.process_time() - started\n"
        "assert sentiment._analyser.cache_info().currsize == 0\n"
        "sentiment.analyse('a', 'b'); sentiment.analyse('a', 'b')\n"
        "assert sentiment._analyser.cache_info().misses == 1\n"
        "print(taken)"
    )
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=path) for _ in range(3)]
    assert [run.stderr for run in runs] == ["", "", ""]
    assert min(float(run.stdout) for run in runs) < 0.05

"""How a note sounds: POSITIVE, NEUTRAL or NEGATIVE, by VADER with a freelancer's lexicon.

A hint with the words that decided, never a fact. `analyse` is the only door; nothing is logged or kept.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import copysign, sqrt
from typing import NamedTuple, Protocol

from vader import SentimentIntensityAnalyzer

from soloist.interactions.lexicon import FILLERS, load


class Sentiment(StrEnum):
    POSITIVE = "POSITIVE"
    NEUTRAL = "NEUTRAL"
    NEGATIVE = "NEGATIVE"


class SentimentSource(StrEnum):
    """Where a sentiment comes from: NONE means that nobody said it and the text could not be judged."""

    USER = "USER"
    ANALYSED = "ANALYSED"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Reading:
    """What an analyser made of a text.

    `words` are those that decided, in lower case as they stand together in the text ("not happy", "pushed
    the deadline"); `score` is VADER's compound, −1 to 1.
    """

    sentiment: Sentiment
    source: SentimentSource
    words: tuple[str, ...]
    score: float


class Analyser(Protocol):
    """Whatever can judge a text; it keeps nothing of it."""

    def read(self, text: str) -> Reading: ...


NOT_ANALYSED = Reading(Sentiment.NEUTRAL, SentimentSource.NONE, (), 0.0)

# |compound| from which a note takes sides; VADER's own 0.05 is for tweets, a note has polite words.
THRESHOLD = 0.25
_ALPHA = 15.0  # VADER's: compound = sum / sqrt(sum² + 15)
_LONGEST_WORD = 40
_MOST_SENTENCES = 200  # the rest is judged as one
_MOST_READ = 2_500  # words; more fit into a note only as a storm of signs
_MOST_SHOWN = 8  # words of explanation

_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+|\n+|\s[-–—]\s+")
_CLOSING = re.compile(
    r"\n(?:(?:best|kind|warm|many) (?:regards|wishes|thanks)|best|cheers|thanks|regards)[,.!]?(?=\n|$)"
)
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_APOSTROPHES = str.maketrans("’ʼ‘", "'''")  # noqa: RUF001  typed for an apostrophe


def analyse(subject: str, notes: str | None) -> Reading:
    """Judge an interaction by its subject and notes.

    Without a known word, or in another language than English, the reading is NEUTRAL from NONE.
    Takes about 0.1 ms a note; the first call loads the words.
    """
    return _analyser().read(f"{subject}\n{notes}" if notes else subject)


@cache
def _analyser() -> Analyser:
    return BusinessVader()


class _Hit(NamedTuple):
    """A known word or phrase: as it stands in the text, and whether it speaks for or against."""

    text: str
    sign: float


class BusinessVader:
    """VADER with the business lexicon, sentence by sentence, each phrase scored as one word."""

    def __init__(self) -> None:
        self._lexicon = load()
        self._vader = SentimentIntensityAnalyzer(
            self._lexicon.weights,
            negations=self._lexicon.negators,
            special_cases={},
            idioms={},
            multiword={},
            emoji={},
        )
        signs = "|".join(re.escape(sign) for sign in self._lexicon.signs)
        self._token = re.compile(rf"\d+(?:[.,]\d+)*|[^\W_]+(?:['-][^\W_]+)*|%|{signs}")

    def read(self, text: str) -> Reading:
        """Add up VADER's sums of the sentences, so that neither negation nor "but" crosses a full stop."""
        text = text.lower()
        if not text.isascii():
            text = text.translate(_APOSTROPHES)
        everything: list[str] = []
        telling: list[list[str]] = []
        for part in _SENTENCE_END.split(_CLOSING.sub("\n", text), _MOST_SENTENCES):
            words = self._words(part)[: _MOST_READ - len(everything)]
            everything += words
            if not self._lexicon.is_silent(words):
                telling.append(words)
        if not telling or not self._lexicon.is_english(everything):
            return NOT_ANALYSED
        total = 0.0
        hits: list[_Hit] = []
        for words in telling:
            tokens, found = self._scan(words)
            if found:
                hits += found
                total += _sum(self._vader.polarity_scores(" ".join(tokens))["compound"])
        if not hits:
            return NOT_ANALYSED
        score = round(total / sqrt(total * total + _ALPHA), 4)
        sentiment = _side(score)
        return Reading(sentiment, SentimentSource.ANALYSED, _deciding(hits, sentiment), score)

    def _words(self, sentence: str) -> list[str]:
        words: list[str] = []
        stretched = _STRETCHED.search(sentence) is not None
        for word in self._token.findall(sentence):
            if len(word) > _LONGEST_WORD:
                continue
            if stretched:
                word = self._unstretched(word)
            if "-" in word and word not in self._lexicon.weights:
                words += word.split("-")
            else:
                words.append(self._lexicon.spellings.get(word, word))
        return words

    def _unstretched(self, word: str) -> str:
        twice = _STRETCHED.sub(r"\1\1", word)
        return twice if twice in self._lexicon.weights else _STRETCHED.sub(r"\1", word)

    def _scan(self, words: list[str]) -> tuple[list[str], list[_Hit]]:
        """The sentence as VADER shall see it, with each phrase as one token, and what is known in it."""
        places = [place for place, word in enumerate(words) if word not in FILLERS]
        forms = [self._lexicon.forms.get(words[place], words[place]) for place in places]
        tokens: list[str] = []
        origins: list[tuple[int, int]] = []  # of each token: its first and last place in `words`
        at = 0
        while at < len(forms):
            match = self._lexicon.phrase_at(forms, at) if forms[at] in self._lexicon.beginnings else None
            if match is None:
                tokens.append(words[places[at]])
                origins.append((places[at], places[at]))
                at += 1
                continue
            phrase, parts = match
            tokens.append(phrase.key)
            origins.append((places[at], places[parts[-1]]))
            for inside in range(at + 1, parts[-1]):
                if inside not in parts:
                    tokens.append(words[places[inside]])
                    origins.append((places[inside], places[inside]))
            at = parts[-1] + 1
        known = [number for number, token in enumerate(tokens) if token in self._lexicon.weights]
        return tokens, [self._hit(words, tokens, origins, number) for number in known]

    def _hit(self, words: list[str], tokens: list[str], origins: list[tuple[int, int]], number: int) -> _Hit:
        first, last = origins[number]
        weight = self._lexicon.weights[tokens[number]]
        for before in range(number - 1, max(number - 4, -1), -1):
            if tokens[before] in self._lexicon.negators or tokens[before].endswith("n't"):
                return _Hit(" ".join(words[origins[before][0] : last + 1]), -weight)
        return _Hit(" ".join(words[first : last + 1]), weight)


def _sum(compound: float) -> float:
    """The sum of weights that VADER's compound was made of."""
    compound = max(-0.999, min(0.999, compound))
    return copysign(sqrt(_ALPHA * compound * compound / (1 - compound * compound)), compound)


def _side(score: float) -> Sentiment:
    if abs(score) < THRESHOLD:
        return Sentiment.NEUTRAL
    return Sentiment.POSITIVE if score > 0 else Sentiment.NEGATIVE


def _deciding(hits: list[_Hit], sentiment: Sentiment) -> tuple[str, ...]:
    """What spoke for the outcome, in the text's order; when both sides balance, all of it."""
    if sentiment is not Sentiment.NEUTRAL:
        side = 1.0 if sentiment is Sentiment.POSITIVE else -1.0
        hits = [hit for hit in hits if hit.sign * side > 0] or hits
    return tuple(dict.fromkeys(hit.text for hit in hits))[:_MOST_SHOWN]

"""Words and what they weigh: VADER's lexicon corrected for business notes, phrases, and English itself.

The data stand in `business_lexicon.toml`; `load()` reads them, this module finds phrases in a sentence
and tells English from other languages. Everything here works on lower-case words.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from vader import SentimentIntensityAnalyzer

_DATA = Path(__file__).with_name("business_lexicon.toml")

# Skipped in notes, so that "signed the contract" and "signed our contract" are one phrase.
FILLERS = frozenset(
    {"a", "an", "the", "my", "your", "our", "their", "his", "her", "its", "this", "that", "these", "those"}
)

# "can't wait" is joy, "won't wait" is not: these stay apart from "not" in phrases.
CANNOT = frozenset({"can't", "cannot", "couldn't"})
_GAP = 3  # how many other words `..` in a phrase may stand for
# One word of six must be English; notes are full of names, numbers and trade words that no list holds.
_LEAST_SHARE = 1 / 6
_ENOUGH_WORDS = 150
_LATIN_ENDS = "\u024f"
_ELIDED = "cdjlmnst"  # l'équipe, d'un, c'est, j'ai, dell'arte


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that mean something together: each step is a set of alternatives, `gaps` what may intervene."""

    key: str
    steps: tuple[frozenset[str], ...]
    gaps: tuple[int, ...]

    def places(self, words: Sequence[str], start: int) -> list[int] | None:
        """The places of the phrase's words when it begins at `start`, else None."""
        places = [start]
        for step, gap in zip(self.steps[1:], self.gaps[1:], strict=True):
            following = places[-1] + 1
            for place in range(following, min(following + gap + 1, len(words))):
                if words[place] in step:
                    places.append(place)
                    break
            else:
                return None
        return places


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All words of one analyser.

    `weights` also holds the phrases, by their `key`; `phrases` finds them by their first two words.
    `forms` brings words to the form that phrases have them in.
    """

    weights: Mapping[str, float]
    beginnings: frozenset[str]
    phrases: Mapping[tuple[str, str], tuple[Phrase, ...]]
    forms: Mapping[str, str]
    spellings: Mapping[str, str]
    signs: tuple[str, ...]
    negators: frozenset[str]
    languages: Mapping[str, tuple[str, ...]]

    def is_silent(self, words: Sequence[str]) -> bool:
        """Whether these words can't hold anything that is weighed: the quick answer for most sentences."""
        return self.weights.keys().isdisjoint(words) and self.beginnings.isdisjoint(words)

    def phrase_at(self, forms: Sequence[str], start: int) -> tuple[Phrase, list[int]] | None:
        """The longest phrase that begins at this word, with the places of its words."""
        best: tuple[Phrase, list[int]] | None = None
        for second in forms[start + 1 : start + _GAP + 2]:
            for phrase in self.phrases.get((forms[start], second), ()):
                if best is None or len(phrase.steps) > len(best[0].steps):
                    places = phrase.places(forms, start)
                    if places is not None:
                        best = phrase, places
        return best

    def is_english(self, words: Sequence[str]) -> bool:
        """Whether these words of a note are English, judged by the first 150.

        Words that are English only are counted against those of the best other language; words of
        several languages ("super", "die", "no") prove nothing. A text of only such words is English
        unless an unknown word stands beside a single one of them.
        """
        english = shared = unknown = counted = 0
        against = 0.0
        foreign: dict[str, int] = {}
        for word in words[:_ENOUGH_WORDS]:
            if not word[0].isalpha():
                continue
            counted += 1
            homes = self.languages.get(word)
            if homes is None and word.endswith("'s"):
                homes = self.languages.get(word[:-2])
            if homes is None:
                if word[0] > _LATIN_ENDS:
                    against += 1 + len(word) // 3  # Japanese has no spaces: one word may be a sentence
                elif word[1:2] == "'" and word[0] in _ELIDED:
                    against += 1
                elif not word.isascii():
                    against += 0.5  # a name as often as not
                else:
                    unknown += 1
            elif not homes:
                shared += 1
            elif homes[0] == "en":
                english += 1
            else:
                for home in homes:
                    foreign[home] = foreign.get(home, 0) + 1
        against += max(foreign.values(), default=0)
        if not english:
            return not against and shared >= 2 * unknown
        return english > against and english >= counted * _LEAST_SHARE


def load() -> Lexicon:
    """Read the business lexicon and lay it over VADER's own. Some 10 ms: call it once."""
    data = tomllib.loads(_DATA.read_text(encoding="utf-8"))
    vader = SentimentIntensityAnalyzer()
    weights = dict(vader.lexicon)
    vader_words = frozenset(word for word in weights if word.isalpha())
    for words in data["silenced"].values():
        for word in words.split():
            weights.pop(word, None)
    weights.update(data["words"])
    weights.update(data["signs"])
    phrases: dict[tuple[str, str], list[Phrase]] = {}
    for number, (pattern, weight) in enumerate(data["phrases"].items()):
        # A private-use character: no word of a note can be mistaken for a phrase's key.
        phrase = _phrase(chr(0xE000 + number), pattern)
        weights[phrase.key] = weight
        for pair in product(phrase.steps[0], phrase.steps[1]):
            phrases.setdefault(pair, []).append(phrase)
    negators = vader.negations | {"nobody", "zero"}
    forms = {word: "not" for word in negators if word.endswith(("n't", "nt")) and word not in CANNOT}
    forms["never"] = "not"
    return Lexicon(
        weights={word: weight for word, weight in weights.items() if weight},
        beginnings=frozenset(first for first, _ in phrases).union(
            word for word, form in forms.items() if form == "not"
        ),
        phrases={pair: tuple(found) for pair, found in phrases.items()},
        forms=forms,
        spellings=data["spellings"],
        signs=tuple(data["signs"]),
        negators=negators,
        languages=_languages(data["languages"], vader_words | data["words"].keys()),
    )


def _phrase(key: str, pattern: str) -> Phrase:
    steps: list[frozenset[str]] = []
    gaps: list[int] = []
    gap = 0
    for word in pattern.split():
        if word == "..":
            gap = _GAP
            continue
        alternatives = frozenset(word.split("/"))
        steps.append(alternatives | CANNOT if "not" in alternatives else alternatives)
        gaps.append(gap)
        gap = 0
    return Phrase(key, tuple(steps), tuple(gaps))


def _languages(lists: Mapping[str, str], english_words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Each known word's languages; none for a word that English shares with another."""
    english = set(lists["en"].split()).union(english_words)
    homes: dict[str, tuple[str, ...]] = {}
    for language, words in lists.items():
        if language in ("en", "shared"):
            continue
        for word in words.split():
            homes[word] = () if word in english else (*homes.get(word, ()), language)
    for word in english:
        homes.setdefault(word, ("en",))
    return homes | dict.fromkeys(lists["shared"].split(), ())

"""What was found, held against what is promised: a line for each, a file for programs."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

FILE = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Verdict:
    """One figure; it may be `at_most` and must be `at_least`, None where it is only told."""

    what: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    more: str = ""

    @property
    def missed(self) -> bool:
        too_much = self.at_most is not None and self.value > self.at_most
        return too_much or (self.at_least is not None and self.value < self.at_least)

    @property
    def bound(self) -> str:
        """The bound as people read it."""
        sides = (("at most", self.at_most), ("at least", self.at_least))
        return ", ".join(f"{word} {_short(limit, self.unit)}" for word, limit in sides if limit is not None)


def none_of(what: str, value: float, more: str = "") -> Verdict:
    """Something that must not happen at all."""
    return Verdict(what, value, at_most=0, more=more)


def tell(verdict: Verdict) -> None:
    """Print one line: passed or failed, what was found, what is promised, what it came from."""
    mark = "    " if not verdict.bound else "FAIL" if verdict.missed else "PASS"
    bound = f" ({verdict.bound})" if verdict.bound else ""
    more = f" · {verdict.more}" if verdict.more else ""
    print(f"  {mark}  {verdict.what}: {_short(verdict.value, verdict.unit)}{bound}{more}", flush=True)


def keep(found: dict[str, list[Verdict]], mode: str, seed: int, seconds: float) -> None:
    """Write everything to crash/results.json, with how busy the machine was."""
    parts = {part: [{**asdict(each), "missed": each.missed} for each in verdicts] for part, verdicts in found.items()}
    told = {"mode": mode, "seed": seed, "seconds": round(seconds), "cpus": os.cpu_count(), "load": os.getloadavg()}
    FILE.write_bytes(orjson.dumps({**told, "parts": parts}, option=orjson.OPT_INDENT_2))


def _short(value: float, unit: str) -> str:
    number = f"{value:.0f}" if float(value).is_integer() or value >= 1000 else f"{value:.3g}"
    return f"{number} {unit}".rstrip()

"""What was measured, held against what must be reached: a table for people, a file for programs."""

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

FILE = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Figure:
    """One figure; `bound` is the most it may be, None where it is only told. `more` says what it came from."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    more: str = ""

    @property
    def missed(self) -> bool:
        return self.bound is not None and self.value > self.bound


def show(figures: list[Figure]) -> None:
    """Print the table."""
    table = Table(title="Soloist against its bounds")
    for name, side in (("what", "left"), ("measured", "right"), ("at most", "right"), ("", "left"), ("from", "left")):
        table.add_column(name, justify="right" if side == "right" else "left")
    for figure in figures:
        bound = "" if figure.bound is None else f"{figure.bound:g} {figure.unit}"
        verdict = "" if figure.bound is None else "[bold red]FAIL" if figure.missed else "[green]PASS"
        table.add_row(figure.name, f"{figure.value:.4g} {figure.unit}", bound, verdict, figure.more)
    Console(width=None).print(table)


def keep(figures: list[Figure], mode: str) -> None:
    """Write the figures to bench/results.json."""
    found = [{**asdict(figure), "missed": figure.missed} for figure in figures]
    FILE.write_bytes(orjson.dumps({"mode": mode, "figures": found}, option=orjson.OPT_INDENT_2))

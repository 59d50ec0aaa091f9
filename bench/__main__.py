"""`make bench`: measure everything the product promises about speed, say what holds, and fail if something does not."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench import measuring
from bench.figures import Figure, keep, show
from bench.records import settle
from bench.world import server, world

SMALL, USUAL = 1_000, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter rounds and a large book of 20,000 clients")
    quick: bool = parser.parse_args().quick
    large, rounds, seconds = (20_000, 3, 1.5) if quick else (100_000, 5, 4.0)
    with tempfile.TemporaryDirectory(prefix="soloist-bench-") as folder:
        figures = _measure(Path(folder), large, rounds, seconds)
    show(figures)
    keep(figures, "quick" if quick else "full")
    missed = [figure.name for figure in figures if figure.missed]
    if missed:
        print(f"Missed: {'; '.join(missed)}", file=sys.stderr)
        sys.exit(1)


def _measure(folder: Path, large: int, rounds: int, seconds: float) -> list[Figure]:
    _say(f"filling books of {SMALL:,}, {USUAL:,} and {large:,} clients")
    with world(folder, USUAL, SMALL, large) as at:
        small, usual, big = (at.owners[size] for size in (SMALL, USUAL, large))
        with server("product", at) as product, server("bare", at) as bare:
            _say("CPU per request")
            records = settle(at, usual, rounds)
            figures = measuring.costs(usual, product, bare, rounds, seconds, records)
            _say("lists and searches")
            figures += measuring.growth(small, big, product, rounds, seconds / 4)
            figures += measuring.filters(big, product, rounds, seconds / 4)
            figures += measuring.statistics_of_deals(records, product, rounds, seconds / 4)
        _say("health refresh")
        figures += measuring.refresh(at, SMALL + USUAL + large)
    _say("start and memory")
    return figures + measuring.starting(at, usual, 3, seconds)


def _say(what: str) -> None:
    print(f"· {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

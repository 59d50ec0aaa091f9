"""`make crash`: kill what can be killed, count what is lost, say what holds, and fail if something does not."""

import argparse
import os
import random
import sys
import time

from crash import answers, outages, pace, storm
from crash.answers import Kills
from crash.pace import Pace
from crash.storm import Storm
from crash.verdicts import Verdict, keep, tell

TITLES = {
    "pace": "Speed, and one receiver that hangs",
    "answers": "Servers killed between commit and answer",
    "outages": "PostgreSQL killed, a worker frozen, connections ended",
    "storm": "Workers killed, receivers failing",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m crash", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer changes and fewer kills: three minutes")
    parser.add_argument("--seed", type=int, help="make the choices of an earlier run, which printed its seed")
    parser.add_argument("--only", choices=TITLES, help="one part alone")
    given = parser.parse_args()
    seed: int = random.randrange(10**6) if given.seed is None else given.seed
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"Seed {seed}; load {load} on {os.cpu_count()} CPUs", flush=True)
    started = time.monotonic()
    found: dict[str, list[Verdict]] = {}
    for part, title in TITLES.items():
        if given.only in (None, part):
            print(title, flush=True)
            found[part] = _run(part, seed, quick=given.quick)
            for verdict in found[part]:
                tell(verdict)
    seconds = time.monotonic() - started
    keep(found, "quick" if given.quick else "full", seed, seconds)
    missed = [each.what for verdicts in found.values() for each in verdicts if each.missed]
    print(f"{'Missed: ' + '; '.join(missed) if missed else 'Everything holds'}. {seconds:.0f} s, seed {seed}")
    sys.exit(1 if missed else 0)


def _run(part: str, seed: int, *, quick: bool) -> list[Verdict]:
    match part:
        case "pace":
            return pace.run(Pace(30, 60, 10) if quick else Pace(150, 500, 40), seed)
        case "answers":
            return answers.run(Kills(5, 1, 1) if quick else Kills(50, 5, 5), seed)
        case "outages":
            return outages.run(1 if quick else 3, seed)
        case _:
            return storm.run(Storm(240, 16, 40, 3) if quick else Storm(2000, 25, 20, 10), seed)


if __name__ == "__main__":
    main()

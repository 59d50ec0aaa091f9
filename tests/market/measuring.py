"""What reading a Market takes, in a process of its own: `python -m tests.market.measuring URL TOKEN WHAT`."""

import asyncio
import json
import sys
import time
from pathlib import Path

from soloist.infra.clock import system_clock
from soloist.infra.outbound import Outbound
from soloist.market.gateway import Broken, MarketFault, Markets, Patience
from soloist.market.pages import MOST_BYTES, MOST_VALUES, value_of


def memory_mb(line: str) -> float:
    """A line of the system's account of this process: VmRSS is now, VmHWM the most since `forget_peak`."""
    [found] = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith(f"{line}:")]
    return int(found.split()[1]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def fullest() -> bytes:
    """An answer of the largest size with as many values as are read, each a new object."""
    values = ",".join(f'"{number:06x}":{number}' for number in range(MOST_VALUES // 2))
    return f'{{"items": [{{{values}}}], "text": "{"é" * ((MOST_BYTES - len(values) - 100) // 2)}"}}'.encode()


async def read(url: str, token: str, what: str) -> dict[str, float]:
    good = broken = 0
    patience = Patience(seconds=20, attempts=1)
    async with Outbound(()) as outbound, Markets(outbound, system_clock, url, patience) as markets:
        market = markets.at(url, token)
        async for _ in market.contracts():  # everything is loaded then that is loaded once
            pass
        body = fullest() if what == "fullest" else b""
        forget_peak()
        before, started = memory_mb("VmRSS"), time.monotonic()
        try:
            if what == "fullest":
                value_of(body)
            else:
                async for item in market.clients():
                    good, broken = good + (not isinstance(item, Broken)), broken + isinstance(item, Broken)
        except MarketFault:
            broken += 1
    grown = memory_mb("VmHWM") - before
    return {"good": good, "broken": broken, "grown_mb": grown, "seconds": time.monotonic() - started}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(read(*sys.argv[1:]))))  # noqa: T201  # what the test reads

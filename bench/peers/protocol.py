"""What the harness asks of a program in Python. README.md says what each mode is."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable

SOCKET = sys.argv[1]
JOBS = int(sys.argv[2])
PAYLOAD = "x" * (int(sys.argv[3]) - 2)
MODE = sys.argv[4]
PUTS = MODE in ("put", "putter")
SHORT_LEASES = MODE in ("hold", "rescue")

_numbers = itertools.count(1)
_first: list[float] = []


def say(seconds: float) -> None:
    print(f"{seconds:.6f}", flush=True)


def put(bulk: Callable[[], None], one: Callable[[], object]) -> None:
    """`bulk` puts all JOBS, `one` puts one."""
    if MODE == "put":
        begun = time.monotonic()
        bulk()
        say(time.monotonic() - begun)
    else:
        for _ in sys.stdin:
            begun = time.monotonic()
            one()
            say(begun)


def start(stop: Callable[[], object]) -> None:
    """What every job does; `stop` ends the worker as its users would."""
    now = time.monotonic()
    if MODE != "drain":
        say(now)
        if MODE == "hold":
            time.sleep(3600)
        return
    number = next(_numbers)
    if number == 1:
        _first.append(now)
    if number == JOBS:
        say(now - _first[0])
        stop()

"""TERM, INT and QUIT while a worker runs on the main thread."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

KILL_TIMEOUT = 2.0
"""Seconds that TERM and INT leave to running handlers."""


@contextmanager
def stopped_by_signals(stop: Callable[[float], object], shutdown_timeout: float) -> Iterator[None]:
    """While inside, QUIT calls stop(shutdown_timeout), TERM and INT stop(KILL_TIMEOUT).

    A second TERM or INT ends the process now. Does nothing off the main thread, which alone gets signals. The handlers
    found are put back at the end. `stop` runs between any two steps of the main thread, so it may not take a lock that
    the main thread takes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    found = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)}
    asked: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a child that a handler forked: what it had before we came
            signal.signal(number, found[signal.Signals(number)] or signal.SIG_DFL)
            signal.raise_signal(number)
        elif number == signal.SIGQUIT:
            stop(shutdown_timeout)
        elif asked:
            _die(number)
        else:
            asked.append(number)
            stop(KILL_TIMEOUT)

    for number in found:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in found.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _die(number: int) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    os._exit(128 + number)  # the first process of a container outlives the signal

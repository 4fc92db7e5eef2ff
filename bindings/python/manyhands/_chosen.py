"""A program's own strategy: a function that says which queues a worker asks, and in which order."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from manyhands._wire import text, texts

if TYPE_CHECKING:
    from manyhands import _native
    from manyhands._row import Row

Choose = Callable[[list[str]], Iterable[str]]

_log = logging.getLogger("manyhands")

_ASK_EVERY_MS = 1_000
"""How often an idle thread asks: the answer may depend on the time."""

_LOOK_AGAIN_MS = 50
"""The same while there is no queue: a worker on patterns looks up what they stand for."""


class Chosen:
    """Asks the function before each job; the newest answer holds for all threads."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._fault = ""

    def next(self, native: _native.Worker, timeout_ms: int | None) -> Row | None:
        """The next job, or None when the time is over or the worker stopped."""
        until = math.inf if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        while True:
            queues = native.serving()
            order = self._order(queues) if queues else None
            if order is not None:
                native.set_order(order)
            ask_after_ms = _ASK_EVERY_MS if queues else _LOOK_AGAIN_MS
            left_ms = max(0.0, until - time.monotonic()) * 1000
            row, stopped = native.next(math.ceil(min(ask_after_ms, left_ms)))
            if row is not None or stopped or left_ms <= ask_after_ms:
                return row

    def _order(self, queues: list[str]) -> list[str] | None:
        """What the function answers; None: as before."""
        said = "what strategy returns"
        try:
            order = [text(name, said, None) for name in texts(self._choose(queues), said, None)]
        except Exception as error:  # noqa: BLE001  the function is the user's, and its answer may be a generator
            if repr(error) != self._fault:
                _log.warning("a strategy raised; the order of the queues stays", exc_info=error)
            self._fault = repr(error)
            return None
        self._fault = ""
        return order

"""What a crew is told, and how it is called to hear it."""

from __future__ import annotations

import math
import select
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from manyhands._native import Bell

if TYPE_CHECKING:
    from manyhands import _native

_LONGEST_MS = 3_600_000.0


class Order(Enum):
    """What a crew may be told."""

    ENDED = "a thread has ended"
    STOP = "take no new jobs; leave the running ones that many seconds"
    KILL = "interrupt the running jobs"
    PAUSE = "take no new jobs until told to"
    RESUME = "take new jobs again"
    SHOW = "say what each thread does"


class Orders:
    """Given by any thread, and by signal handlers; taken by the one thread that waits for them."""

    def __init__(self) -> None:
        self._given: SimpleQueue[tuple[Order, float]] = SimpleQueue()  # the one lock that a signal handler may take
        self._bell: Bell | None = None
        self._poll = select.poll()

    def listen(self, native: _native.Worker) -> Bell:
        """From now on, in this process, a wait ends for an order, for news of the runtime, and for the bell."""
        self._bell = bell = Bell()
        self._poll = select.poll()
        self._poll.register(bell, select.POLLIN)
        native.ring_on_news(bell)
        return bell

    def put(self, order: Order, seconds: float = 0.0) -> None:
        """Give an order."""
        self._given.put((order, seconds))
        self.ring()

    def ring(self) -> None:
        """End a wait, also one that is about to begin."""
        if self._bell is not None:  # else nobody has looked for orders yet
            self._bell.ring()

    def take(self) -> tuple[Order, float] | None:
        """The oldest order that nobody has taken."""
        try:
            return self._given.get_nowait()
        except Empty:
            return None

    def wait(self, most: float) -> None:
        """Wait until it rings, at most so many seconds. Without the GIL; signal handlers run meanwhile."""
        if self._poll.poll(math.ceil(min(most * 1_000, _LONGEST_MS))) and self._bell is not None:
            self._bell.hush()

"""What others see a worker do, while it does it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyhands._orders import Orders
    from manyhands._running import Running

Show = Callable[[str, "list[Running]"], None]
"""Shows that a worker is paused or stopping, and its running jobs."""

_EVERY = 0.1
"""Seconds; what comes and goes faster nobody could read."""


class Display:
    """Kept up to date by one thread, which sleeps while there is nothing new."""

    def __init__(self, show: Show, orders: Orders) -> None:
        self._show = show
        self._orders = orders
        self._changed = False
        self._asleep = False

    def change(self) -> None:
        """A job begins or has ended, on any thread."""
        self._changed = True
        if self._asleep:
            self._orders.ring()

    def show(self, state: str, running: Callable[[], list[Running]]) -> float:
        """Show what there is; seconds after which to show it again, if it is not called for before."""
        changed, self._changed = self._changed, False
        self._asleep = not changed
        self._show(state, running())
        # Who changed something before it could see us asleep has not rung.
        return math.inf if self._asleep and not self._changed else _EVERY

"""The threads of a running worker, and the one that looks after them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

from manyhands._orders import Order, Orders

if TYPE_CHECKING:
    from manyhands import _native
    from manyhands._display import Display
    from manyhands._performer import Performer
    from manyhands.job import Job

_log = logging.getLogger("manyhands")


class Crew:
    """As many threads as a worker performs jobs at once."""

    def __init__(
        self,
        native: _native.Worker,
        performer: Performer,
        orders: Orders,
        shutdown_timeout: float,
        kill_timeout: float,
        *,
        display: Display | None,
    ) -> None:
        self._native = native
        self._performer = performer
        self._orders = orders
        self._shutdown_timeout = shutdown_timeout
        self._kill_timeout = kill_timeout
        self._display = display
        self._running = 0
        self._until = math.inf
        self.crashes: list[BaseException] = []
        self.stuck = False

    def work(self, threads: int, take: Callable[[], Job | None]) -> None:
        """Perform jobs until stopped: until all threads have ended, or the time that a stop gave them is over."""
        for number in range(threads):
            name = f"worker {self._native.name}-{number}"
            threading.Thread(target=self._perform, args=(take,), name=name, daemon=True).start()
            self._running += 1
        due = self._look()
        while self._goes_on() and (left := self._until - time.monotonic()) > 0:
            self._orders.wait(min(left, due))
            due = self._look()

    @property
    def is_left(self) -> bool:
        """Whether a thread goes on."""
        return self._running > 0

    def _look(self) -> float:
        """Do what there is to do; seconds until there will be more although nothing calls."""
        look_ms = self._native.next_look()  # asked before the look: what comes due meanwhile is among both
        while order := self._orders.take():
            self._obey(*order)
        self._performer.look()
        self._hear()
        if not self.stuck and self._native.is_stuck():
            _log.error("worker %s has a handler that goes on after its time is over", self._native.name)
            self.stuck = True
            self._stop(self._shutdown_timeout)
        due = math.inf if look_ms is None else look_ms / 1_000
        return due if self._display is None else min(due, self._display.show(self._state(), self._performer.running))

    def _state(self) -> str:
        if not math.isinf(self._until):
            return "stopping"
        return "paused" if self._native.is_paused() else ""

    def _goes_on(self) -> bool:
        """Whether there is a thread that will end."""
        return self._running > (self._performer.timed_out() if self.stuck else 0)

    def _hear(self) -> None:
        """What comes from a master and from operators; the runtime has done its part of it."""
        while name := self._native.take_signal():
            if name == "TTIN":
                self._performer.show()
            else:
                self._stop(self._kill_timeout if name == "TERM" else self._shutdown_timeout)
        if math.isinf(self._until) and self._native.ordered() == "stop":
            self._stop(self._shutdown_timeout)

    def _obey(self, order: Order, seconds: float) -> None:
        if order is Order.ENDED:
            self._running -= 1
            if self.crashes:  # those that took the last jobs of a worker may go on with them
                self._stop(self._shutdown_timeout)
        elif order is Order.STOP:
            self._stop(seconds)
        elif order is Order.KILL:
            self._native.kill_running()
        elif order is Order.SHOW:
            self._performer.show()
        else:
            _log.info("worker %s is told to %s", self._native.name, order.name.lower())
            self._native.pause() if order is Order.PAUSE else self._native.resume()

    def _stop(self, seconds: float) -> None:
        _log.info("worker %s is stopping", self._native.name)
        self._native.quiet()
        self._until = min(self._until, time.monotonic() + seconds)

    def _perform(self, take: Callable[[], Job | None]) -> None:
        perform = self._performer.perform
        try:
            while (job := take()) is not None:
                copy_context().run(perform, job)  # what one sets in it no other finds
        except BaseException as error:  # noqa: BLE001  what a handler or the core ends it with, run raises
            self.crashes.append(error)
        finally:
            self._orders.put(Order.ENDED)

"""Signals while a worker runs on the main thread."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from manyhands import _native
from manyhands._orders import Order, Orders

_ORDERS = {
    signal.SIGUSR1: [(Order.KILL, 0.0)],
    signal.SIGUSR2: [(Order.PAUSE, 0.0)],
    signal.SIGCONT: [(Order.RESUME, 0.0)],
    signal.SIGTTIN: [(Order.SHOW, 0.0)],
}


@contextmanager
def obeying_signals(
    native: _native.Worker, orders: Orders, bell: _native.Bell, shutdown_timeout: float, kill_timeout: float
) -> Iterator[None]:
    """While inside, signals become orders.

    QUIT: stop within shutdown_timeout. TERM, INT: stop within kill_timeout and interrupt what runs; at a second one the
    runtime ends the process, as when a handler holds the GIL beyond these times. USR1: interrupt what runs. USR2, CONT:
    pause, resume. TTIN: say what each thread does. Each rings the bell, whichever thread it comes to. Does nothing off
    the main thread, which alone runs signal handlers. What was found is put back at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    now = [(Order.STOP, kill_timeout), (Order.KILL, 0.0)]
    quitting = {signal.SIGQUIT: [(Order.STOP, shutdown_timeout)], signal.SIGTERM: now, signal.SIGINT: now}
    meanings = {**_ORDERS, **quitting}
    found = {number: signal.getsignal(number) for number in meanings}

    def handle(number: int, _frame: FrameType | None) -> None:
        meant = signal.Signals(number)
        if os.getpid() != owner:  # a child that a handler forked: what it had before we came
            signal.signal(number, found[meant] or signal.SIG_DFL)
            signal.raise_signal(number)
            return
        for order in meanings[meant]:
            orders.put(*order)

    found_fd = signal.set_wakeup_fd(bell.wakeup_fd, warn_on_full_buffer=False)
    for number in found:
        signal.signal(number, handle)
    try:
        native.watch_host()
        yield
    finally:
        native.unwatch_host()
        for number, handler in found.items():
            signal.signal(number, handler or signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        with suppress(ValueError, OSError):  # what listened there may be gone
            signal.set_wakeup_fd(found_fd)

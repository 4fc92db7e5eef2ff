"""The one event loop of a process, on which `async def` handlers run while threads wait for them."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

_log = logging.getLogger("manyhands")

_END_WITHIN = 2.0
"""Seconds that what handlers left running has to end with the loop."""


class Waiting:
    """An awaitable on its way through the loop, and the thread that waits for it."""

    def __init__(self, start: Callable[[], Awaitable[Any]]) -> None:
        self._start = start
        self._context = contextvars.copy_context()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reason: str | None = None
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None
        self.task: asyncio.Task[None] | None = None
        self.cancelled = False

    def run_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run it there and wait, on another thread."""
        self._loop = loop
        loop.call_soon_threadsafe(self._begin)
        self._done.wait()

    def cancel(self, reason: str) -> None:
        """Cancel it, from any thread; when it has not begun, as soon as it begins."""
        self._reason = reason
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended meanwhile, and the loop with it
                self._loop.call_soon_threadsafe(self._cancel)

    def result(self) -> Any:
        """What it came to, or raises what it raised. Once."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
            return self._result
        finally:
            del error  # it has this frame, and those that have us

    def _begin(self) -> None:
        self.task = self._context.run(asyncio.ensure_future, self._await())
        self.task.add_done_callback(self._end)
        self._cancel()

    def _cancel(self) -> None:
        if self.task is not None and self._reason is not None:
            reason, self._reason = self._reason, None
            self.task.cancel(reason)

    async def _await(self) -> None:
        try:
            self._result = await self._start()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001  a handler's SystemExit would end the loop
            self._error = error

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.cancelled, self._error = True, CancelledError()  # an Exception: the handler's own affair
        self._done.set()


class _LoopThread(threading.Thread):
    """One that serves an event loop."""


class EventLoop:
    """An event loop on a thread of its own, for as long as somebody uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @contextmanager
    def used(self) -> Iterator[asyncio.AbstractEventLoop]:
        """While inside the loop runs; with the last user it ends."""
        with self._lock:
            self._users += 1
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = _LoopThread(target=_serve, args=(self._loop,), name="manyhands-loop", daemon=True)
                self._thread.start()
            loop, thread = self._loop, self._thread
        try:
            yield loop
        finally:
            with self._lock:
                self._users -= 1
                last = self._users == 0
                if last:
                    self._loop = self._thread = None
            if last and thread is not None:
                loop.call_soon_threadsafe(loop.stop)
                thread.join(_END_WITHIN)

    def run(self, waiting: Waiting) -> bool:
        """Run it and wait for its end; True."""
        # A handler on the loop that waits for another, as a put does under testing.inline, would hold the loop up.
        beside = EventLoop() if isinstance(threading.current_thread(), _LoopThread) else self
        with beside.used() as loop:
            waiting.run_on(loop)
        return True


_loops: dict[int, EventLoop] = {}


def event_loop() -> EventLoop:
    """This process's; a forked child has its own."""
    return _loops.setdefault(os.getpid(), EventLoop())


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    while not _has_run(loop.run_forever):
        pass
    ended = loop.create_task(_end_what_is_left(loop))
    while not ended.done():
        _has_run(partial(loop.run_until_complete, ended))
    loop.close()


async def _end_what_is_left(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()


def _has_run(run: Callable[[], object]) -> bool:
    """Run the loop; whether it came to an end. Else what a handler left running has ended it, though others need it."""
    try:
        run()
    except BaseException as error:  # noqa: BLE001  asyncio lets a task's SystemExit through
        _log.warning("something on the event loop raised %s; it goes on", type(error).__name__, exc_info=error)
        return False
    return True

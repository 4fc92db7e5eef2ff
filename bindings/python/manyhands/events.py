"""What happens to jobs, as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from manyhands._wire import milliseconds

if TYPE_CHECKING:
    from manyhands import _native


class Event(NamedTuple):
    """Something that happened to a job.

    event: what happened: put, waiting, scheduled, blocked, throttled, reserved, stalled, completed, failed, cancelled,
        track or untrack; on a worker's channel stalled, lost or cancelled.
    jid, queue, kind: the job, the queue it is in now, the name of its handler.
    worker: who holds it, or None. at: epoch seconds, by Redis's clock.
    """

    event: str
    jid: str
    queue: str
    kind: str
    worker: str | None
    at: float


class Events(Iterator[Event]):
    """A subscription to events: an iterator that waits for the next one, and a context manager that closes at the end.

    Get it as `client.events()`. Threads may share it: each event goes to one of them. It belongs to its process: in a
    forked child it raises Closed.

    It has a connection of its own and makes another when that breaks. With the setting `events` at "all", what happened
    meanwhile is heard then, in its order and once, before what happens later: Redis keeps the last 10,000 events or so.
    What cannot be known is missed, see `gaps`.

    Source: core/src/client/events/mod.rs
    """

    def __init__(self, native: _native.Events) -> None:
        """For this package only: a program subscribes by `Client.events`."""
        self._native = native

    def next(self, timeout: float | timedelta | None = None) -> Event | None:
        """Wait for the next event.

        timeout: seconds to wait, 0 or more. Default None: until there is one or the subscription is closed.

        Returns None when the time is over, or the subscription or its client is closed. While Redis is away it waits
        like at any other time. Raises what cannot pass by itself, such as Denied, and Closed in a forked child.
        Releases the GIL; Ctrl-C ends the wait.

        Source: core/src/client/events/mod.rs
        """
        fields = self._native.next(None if timeout is None else milliseconds(timeout, "timeout", "events_next"))
        return None if fields is None else Event(*fields[:-1], fields[-1] / 1000)

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    @property
    def closed(self) -> bool:
        """True when nothing more will come: this or its client is closed, or this is a forked child."""
        return self._native.closed

    @property
    def gaps(self) -> int:
        """How often events may have been missed, counted when a lost connection is back.

        So it is where the setting `events` is not "all" or became so only meanwhile, where more happened
        meanwhile than Redis keeps, and where the login may not use XINFO and XREVRANGE on `{namespace}:events`. For a
        worker's channel also where any job was cancelled meanwhile: what Redis keeps does not say whose it was.
        """
        return self._native.gaps

    def close(self) -> None:
        """End the subscription; whoever waits for it stops within 0.1 s. Calling it again does nothing."""
        self._native.close()

    def __enter__(self) -> Events:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<manyhands.Events {'closed' if self.closed else 'open'}>"

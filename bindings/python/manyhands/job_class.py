"""Job classes: a kind, the handler that performs it, and what its puts say when they do not say otherwise."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from manyhands import _native
from manyhands._wire import given, milliseconds, object_text, refuse_unknown, text
from manyhands.backoff import Backoff, BackoffLike
from manyhands.client import Client
from manyhands.errors import InvalidArgument
from manyhands.put import OPERATION, Placed, in_milliseconds

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from manyhands.job import Job
    from manyhands.put import PutOptions
    from manyhands.queue import Queue
    from manyhands.recurring import Recurring, RecurringOptions


_RECURRING = "recurring_put"


class Performs(Protocol):
    """A class whose objects perform one job each."""

    def perform(self, job: Job, /) -> Any: ...


class JobClass:
    """A kind of job, made by the decorator `job`. Calling it calls its handler.

    kind: names its jobs.
    handler: what was decorated, as a function of the Job.
    queue: where its jobs are put, or None.
    timeout: seconds its handler may run in a worker, or None. Kept by who performs it: a put sends only its own.
    backoff: how long its jobs wait after an error, or None; kept so too.
    options: the other defaults of its puts, by the names of `Queue.put`.
    """

    def __init__(
        self,
        kind: str,
        handler: Callable[[Job], Any],
        *,
        queue: str | None,
        timeout: float | None,
        backoff: Backoff | None,
        options: PutOptions,
    ) -> None:
        """For this package only: a program uses the decorator."""
        self.kind = kind
        self.handler = handler
        self.queue = queue
        self.timeout = timeout
        self.backoff = backoff
        self.options = options
        update_wrapper(self, handler, updated=())

    def __call__(self, job: Job) -> Any:
        """Run the handler: for tests, with `Job.build`."""
        return self.handler(job)

    def put(
        self, client: Client, data: Any = None, *, queue: str | None = None, **overrides: Unpack[PutOptions]
    ) -> Placed:
        """Put one of its jobs.

        client: whose namespace it is put into.
        data: anything JSON can say. Default None.
        queue: where. Default: its own.
        overrides: as in `Queue.put`, in place of the defaults.

        Raises InvalidArgument, also when neither it nor this call names a queue; else what `Queue.put` raises. Releases
        the GIL.

        Source: core/src/engine/ops/queue_put.lua
        """
        options: Any = {**self.options, **_instead(overrides, OPERATION)}
        return self._queue(client, queue, OPERATION).put(self.kind, data, **options)

    def put_recurring(
        self,
        client: Client,
        data: Any = None,
        *,
        interval: float | timedelta,
        queue: str | None = None,
        **overrides: Unpack[RecurringOptions],
    ) -> Recurring:
        """From now on put one of its jobs every interval.

        client, data, queue: as in `put`.
        interval: seconds from one to the next, at least 0.001.
        overrides: as in `Queue.put_recurring`, in place of the defaults, of which the delay is not for recurring jobs:
            at least a jid, or there is one more each time.

        Raises InvalidArgument, also when neither it nor this call names a queue; else what `Queue.put_recurring`
        raises. Releases the GIL.

            count.put_recurring(client, interval=3600, jid="hourly")

        Source: core/src/engine/ops/recurring_put.lua
        """
        options: Any = {name: value for name, value in self.options.items() if name != "delay"}
        options |= _instead(overrides, _RECURRING)
        return self._queue(client, queue, _RECURRING).put_recurring(self.kind, data, interval=interval, **options)

    def _queue(self, client: Client, name: str | None, operation: str) -> Queue:
        """The queue of that name, or its own."""
        if not isinstance(client, Client):
            raise InvalidArgument(f"client must be a Client, not {type(client).__name__}", operation=operation)
        name = self.queue if name is None else name
        if name is None:
            raise InvalidArgument(f"queue is missing: {self.kind} has no default", operation=operation)
        return client.queue(name)

    def __repr__(self) -> str:
        return f"<manyhands.JobClass {self.kind!r}>"


def job(
    kind: str,
    *,
    queue: str | None = None,
    priority: int | None = None,
    delay: float | timedelta | None = None,
    retries: int | None = None,
    timeout: float | timedelta | None = None,
    backoff: BackoffLike | None = None,
    tags: Sequence[str] | None = None,
    route: Sequence[str] | None = None,
    throttles: Sequence[str] | None = None,
    headers: Mapping[str, str] | None = None,
    **unknown: NoReturn,
) -> Callable[[Callable[[Job], Any] | type[Performs]], JobClass]:
    """Make a function the handler of a kind, with defaults for its puts; a decorator.

    kind: 1 to 255 bytes.
    queue: where its jobs are put. Default: each put says it.
    timeout, backoff: seconds that the handler may run, and that its jobs wait after an error: see `Worker.perform`. A
        put's own come before them.
    priority, delay, retries, tags, route, throttles, headers: as in `Queue.put`.

    What is decorated may also be a class with a method `perform(job)`, of which each job gets an object. Type checkers
    then want it written as a call: `welcome = manyhands.job("welcome")(Welcome)`.

        @manyhands.job("welcome", queue="mail", retries=3)
        def welcome(job):
            return send(job.data["to"])

        welcome.put(client, {"to": "ann@example.com"}, delay=5)
        worker.perform(welcome)

    Raises InvalidArgument naming the argument.
    """
    refuse_unknown(unknown, None)
    text(kind, "kind", None)
    options = {"priority": priority, "delay": delay, "retries": retries, "tags": tags, "route": route}
    defaults: Any = given({**options, "throttles": throttles, "headers": headers})
    _check("any" if queue is None else text(queue, "queue", None), kind, defaults)
    seconds = None if timeout is None else milliseconds(timeout, "timeout", None, least=1) / 1000
    waits = None if backoff is None else Backoff.of(backoff)

    def declare(performs: Callable[[Job], Any] | type[Performs]) -> JobClass:
        handler = _handler(performs, kind)
        return JobClass(kind, handler, queue=queue, timeout=seconds, backoff=waits, options=defaults)

    return declare


def _instead(overrides: Mapping[str, Any], operation: str) -> dict[str, Any]:
    """What a call says in place of the defaults, which its kind is not."""
    refuse_unknown({name: None for name in overrides if name == "kind"}, operation)
    return given(overrides)


def _check(queue: str, kind: str, options: dict[str, Any]) -> None:
    try:
        _native.check_put(queue, kind, object_text(in_milliseconds(options), None))
    except InvalidArgument as error:  # nothing is put yet
        raise InvalidArgument(error.message) from None


def _handler(performs: Any, kind: str) -> Any:
    if not isinstance(performs, type):
        if not callable(performs):
            raise InvalidArgument(f"the handler of {kind} must be callable, not {type(performs).__name__}")
        return performs
    method = getattr(performs, "perform", None)
    if not callable(method):
        raise InvalidArgument(f"{performs.__name__} has no method perform")
    return _of_async_class(performs) if inspect.iscoroutinefunction(method) else _of_class(performs)


def _of_class(performs: Any) -> Callable[[Job], Any]:
    def perform(job: Job) -> Any:
        return performs().perform(job)

    return update_wrapper(perform, performs, updated=())


def _of_async_class(performs: Any) -> Callable[[Job], Any]:
    async def perform(job: Job) -> Any:
        return await performs().perform(job)

    return update_wrapper(perform, performs, updated=())

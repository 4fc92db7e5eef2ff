"""For the tests of programs that use Manyhands: perform jobs at once, or see what was put without putting it.

    with recorded_puts(client) as puts:
        sign_up("ann@example.com")
    puts.assert_put("welcome", queue="mail", data={"to": "ann@example.com"})

A handler alone is tested with `Job.build`, which needs no server; the rest with a server of the tests' own, such
as Client("embedded:DIR"). docs/testing.md has examples.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from manyhands import _native
from manyhands._outcomes import failure_group
from manyhands._performer import ENDS, Performer
from manyhands._wire import UNCHANGED, json_text, object_text, text
from manyhands.backoff import Backoff
from manyhands.client import Client
from manyhands.errors import InvalidArgument
from manyhands.job import Job
from manyhands.put import OPERATION, Placed, Put, in_milliseconds
from manyhands.worker import Worker

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from manyhands.put import PutOptions

_BACKOFF = Backoff.exponential(jitter=0)
"""How long a job waits for which nobody says it: as with any worker, but never longer or shorter at random."""

__all__ = ["RecordedPuts", "drain", "inline", "perform", "recorded_puts"]


def perform(worker: Worker, job: Job) -> Any:
    """Run a built job through the worker's middleware and its handler, without a server; what they return.

    worker: has a handler for the job's kind.
    job: from `Job.build`.

    Raises what they raise, InvalidArgument when there is no handler.
    """
    _check_worker(worker)
    if not isinstance(job, Job):
        raise InvalidArgument(f"job must be a Job, not {type(job).__name__}")
    run = worker._duties.runs.get(job.kind)
    if run is None:
        raise InvalidArgument(f"job {job.jid}: the worker has no handler for {job.kind}")
    return run(job)


def drain(worker: Worker, *, raises: bool = True) -> int:
    """Perform the jobs of the worker's queues on this thread, one after another, until none is left that may run now.

    worker: not started. Its queues are asked in order, or in that of the saved priorities where it has patterns, which
        are followed.
    raises: raise the first exception of a handler, when its job has been told of it. Default True. Else it is only the
        job's affair, as in `Worker.run`, which SystemExit and KeyboardInterrupt end too.

    Returns how many were performed. Jobs that are not due, throttled or in a paused queue stay where they are; one of a
    kind without a handler fails in the group `unknown-kind:<kind>`.
    """
    _check_worker(worker)
    performed = 0
    with worker._duties.awaiting():
        while (job := _next(worker)) is not None:
            performed += 1
            error = _perform(worker, job)
            if error is not None and (raises or isinstance(error, ENDS)):
                raise error
    return performed


@contextmanager
def inline(worker: Worker) -> Iterator[None]:
    """While inside, each put through the worker's client performs what may run before it returns: see `drain`.

    An exception of a handler comes out of the put, when its job has been told of it.
    """
    _check_worker(worker)
    putting = worker._client._putting

    def send_and_perform(client: Client, puts: list[Put], alone: bool) -> list[Placed]:
        placed = before(client, puts, alone)
        drain(worker)
        return placed

    before, putting.send = putting.send, send_and_perform
    try:
        with worker._duties.awaiting():
            yield
    finally:
        putting.send = before


class RecordedPuts(list[Put]):
    """The jobs that were put while `recorded_puts` was in force, in order."""

    def assert_put(
        self, kind: str, *, queue: str | None = None, data: Any = UNCHANGED, **options: Unpack[PutOptions]
    ) -> Put:
        """Assert that a job was put, and return the first.

        kind: its kind.
        queue, data, options: what it must have. Default: it may have any.

        Raises AssertionError that tells what was put.
        """
        matching = self._matching(kind, queue, data, dict(options))
        assert matching, f"no {_asked(kind, queue, data, dict(options))} was put, but {list(self) or 'nothing'}"
        return matching[0]

    def assert_not_put(
        self, kind: str, *, queue: str | None = None, data: Any = UNCHANGED, **options: Unpack[PutOptions]
    ) -> None:
        """Assert that no job was put that has all of this: see `assert_put`."""
        matching = self._matching(kind, queue, data, dict(options))
        assert not matching, f"{matching[0]} was put"

    def _matching(self, kind: str, queue: str | None, data: Any, options: dict[str, Any]) -> list[Put]:
        wanted = _plain(in_milliseconds(options))
        of_kind = [put for put in self if put.kind == kind and queue in (None, put.queue)]
        return [
            put
            for put in of_kind
            if (data is UNCHANGED or put.data == _plain(data))
            and wanted
            == {name: value for name, value in _plain(in_milliseconds(put.options)).items() if name in wanted}
        ]


@contextmanager
def recorded_puts(client: Client) -> Iterator[RecordedPuts]:
    """While inside, what is put through the client is noted and goes no further; needs no server.

    Middleware and hooks of the client see the puts, and wrong arguments are refused, as far as that needs no server.
    Each `Placed` says `put`, with the given jid or a new one.
    """
    if not isinstance(client, Client):
        raise InvalidArgument(f"client must be a Client, not {type(client).__name__}")
    recorded = RecordedPuts()

    def record(_client: Client, puts: list[Put], _alone: bool) -> list[Placed]:
        for at, put in enumerate(puts):
            _check(put, f"jobs[{at}]." if len(puts) > 1 else "")
        recorded.extend(Put(put.queue, put.kind, _plain(put.data), dict(put.options)) for put in puts)
        return [Placed(put.options.get("jid") or uuid.uuid4().hex, "put") for put in puts]

    putting = client._putting
    before, putting.send = putting.send, record
    try:
        yield recorded
    finally:
        putting.send = before


def _check_worker(worker: Worker) -> None:
    if not isinstance(worker, Worker):
        raise InvalidArgument(f"worker must be a Worker, not {type(worker).__name__}")


def _next(worker: Worker) -> Job | None:
    for name in worker._native.look_up():
        for job in worker._client.queue(name).reserve():
            return job
    return None


def _perform(worker: Worker, job: Job) -> BaseException | None:
    """Perform a job and tell what became of it; what its handler raised."""
    performer = Performer(worker._native, worker._duties)
    raised: BaseException | None = None
    try:
        ending = performer.outcome_of(job, lambda run, job: run(job))
    except BaseException as error:  # noqa: BLE001  a handler may raise anything
        raised, ending = error, performer.failed(job, error)
    if not job.in_hand:
        performer.tell_failed(job)
        return raised
    try:
        _settle(job, *ending)
    except InvalidArgument as error:  # such as a result that JSON cannot say
        _settle(job, *performer.failed(job, error))
        return error
    return raised


def _settle(job: Job, verb: str, fields: dict[str, Any]) -> None:
    """End a job as a worker's runtime does."""
    if verb == "error":
        group = failure_group(job.kind, fields.pop("class"))
        backoff = _BACKOFF if job.backoff is None else job.backoff
        verb, fields = "retry", {"delay_ms": backoff._after_ms(job), "group": group, **fields}
    elif verb == "unknown_kind":
        verb, fields = "fail", {"group": failure_group("unknown-kind", job.kind)}
    job._settle(verb, fields)


def _check(put: Put, within: str) -> None:
    put.text(within)
    options = in_milliseconds(put.options, within)
    queue, kind = text(put.queue, f"{within}queue", OPERATION), text(put.kind, f"{within}kind", OPERATION)
    try:
        _native.check_put(queue, kind, object_text(options, OPERATION, within))
    except InvalidArgument as error:
        raise InvalidArgument(f"{within}{error.message}", operation=OPERATION) from None


def _plain(value: Any) -> Any:
    """The value as the handler would see it."""
    return json.loads(json_text(value, "data", None))


def _asked(kind: str, queue: str | None, data: Any, options: dict[str, Any]) -> str:
    of_data = {} if data is UNCHANGED else {"data": data}
    said = {**({} if queue is None else {"queue": queue}), **of_data, **options}
    return " ".join([f"job {kind!r}", *(f"{name}={value!r}" for name, value in said.items())])

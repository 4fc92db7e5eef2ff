"""One unit of work: what it is, and how the one who holds it ends it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from manyhands._holder import ClientHolder, Holder
from manyhands._managed import Managed
from manyhands._own_limits import limits_in_milliseconds, limits_of
from manyhands._row import row_of
from manyhands._viewed import Viewed
from manyhands._wire import UNCHANGED, json_text, milliseconds, renamed, texts, view_fields
from manyhands.errors import WrongState
from manyhands.outcome import Fail

if TYPE_CHECKING:
    from manyhands._row import Row
    from manyhands._running import Running
    from manyhands.backoff import BackoffLike
    from manyhands.client import Client

_NO_DELAY = 0

State = Literal["waiting", "scheduled", "blocked", "throttled", "running", "failed", "completed", "cancelled"]


class Failure(TypedDict):
    """Why a job failed: its group, what was said, and when (epoch seconds) in which worker."""

    group: str
    message: str
    trace: str
    at: float
    worker: str


class Progress(TypedDict):
    """How far a job was: 0 to 1, a note, and when that was said (epoch seconds)."""

    value: float
    note: str
    at: float


class Job(Managed, Viewed):
    """One unit of work. Comes from a worker, `Queue.reserve`, `Client.job` or `Job.build`.

    jid, kind, queue: its id, the name of its handler, where it is (text).
    data: its payload, parsed when first asked for; raw_data: the same as JSON text.
    priority: -128 to 127, larger first.
    retries, remaining: how many times it may run again, and how many of those are left.
    state: where it stands (a job in hand: running; one that was cancelled here: cancelled). stalled: running, but past
        the end of its lease.
    worker, token: who holds it, and the text that proves it; None when nobody does.
    tags, route, throttles: its labels; the queues it still goes through; the limits it is held to (lists of text).
    headers: the texts that go with it through all stages, by name.
    run_timeout, backoff: how many seconds a run of it may take, and how long it waits after an error (a Backoff), as
        its put says; None where that says nothing: then its kind or worker does.
    parent: the recurring job that put it, or None. tracked: whether events tell of it.
    put_at: epoch seconds.

    A copy (by copy or pickle) is a picture: it has the same fields, but nobody holds it, and it reaches no server.

    Source: core/src/ops/job.rs
    """

    # What most jobs have, or begin with, at no cost.
    run_timeout = backoff = None
    state: State = "running"
    stalled = False
    _reserved = True
    _data: Any = UNCHANGED
    _data_changed = False
    _view: dict[str, Any] | None = None
    _locals: dict[str, Any] | None = None
    _rule: tuple[BaseException, int | None] | None = None
    _failed: Fail | None = None
    _running: Running | None = None

    def __init__(self, client: Client | None, holder: Holder | None, row: Row) -> None:
        """For this package only: a program makes jobs by putting them, or by `Job.build`."""
        self._client = client
        self._holder = holder
        self._raw_data: str | None
        (
            self.jid,
            self.kind,
            self.queue,
            self._raw_data,
            self.priority,
            self.retries,
            self.remaining,
            self.worker,
            self.token,
            self.tags,
            self.route,
            self.throttles,
            self.headers,
            self.parent,
            self.tracked,
            self.put_at,
            limits,
        ) = row
        if limits is not None:
            self.run_timeout, self.backoff = limits_of(*limits)

    @staticmethod
    def build(
        kind: str,
        data: Any = None,
        *,
        jid: str = "built",
        queue: str = "built",
        priority: int = 0,
        retries: int = 5,
        tags: Sequence[str] = (),
        route: Sequence[str] = (),
        throttles: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float | timedelta | None = None,
        backoff: BackoffLike | None = None,
    ) -> Job:
        """Make a job without a server, to test a handler with. Nobody holds it, so it cannot be completed.

        kind, data, jid, queue, priority, retries, tags, route, throttles, headers, timeout, backoff: as in `Queue.put`.

        Raises InvalidArgument for data that JSON cannot say, and for a timeout or backoff that no put could say.
        """
        fields = {"jid": jid, "kind": kind, "queue": queue, "data": json_text(data, "data", None), "priority": priority}
        fields |= {"retries": retries, "remaining": retries, "tags": texts(tags, "tags", None)}
        fields |= {"route": texts(route, "route", None), "throttles": texts(throttles, "throttles", None)}
        fields |= {"headers": dict(headers or {}), "parent": None, "tracked": False}
        limits = limits_in_milliseconds(timeout, backoff, None)
        backoff_ms = json_text(limits.get("backoff_ms"), "backoff", None)
        fields |= {"timeout_ms": limits.get("timeout_ms"), "backoff_ms": backoff_ms}
        return Job(None, None, row_of({**fields, "worker": None, "token": None, "put_at_ms": 0}))

    @classmethod
    def _of_reserved(cls, client: Client, row: Row) -> Job:
        return cls(client, ClientHolder(client), row)

    @classmethod
    def _of_view(cls, client: Client, reply: str) -> Job:
        view = view_fields(reply)
        job = cls(client, ClientHolder(client), row_of(view))
        job._reserved, job._view = False, view
        job.state, job.stalled = view["state"], view.get("stalled", False)
        return job

    def __getstate__(self) -> dict[str, Any]:
        of_this_run = ("_client", "_holder", "_locals", "_rule", "_failed", "_running")
        return {**self.__dict__, **dict.fromkeys(of_this_run)}

    def _record(self, *, with_data: bool = True) -> Job:
        """The same job without what was read from it, to be kept for a while; without its data it is small."""
        record = Job.__new__(Job)
        record.__dict__.update(self.__dict__, _data=UNCHANGED, _view=None)
        if not with_data:
            record._raw_data = None
        return record

    @property
    def raw_data(self) -> str:
        """The payload as JSON text, byte for byte as it was put (or as the assignment to `data` made it)."""
        if self._raw_data is None:
            raise WrongState(f"job {self.jid} has ended: its data is no longer kept", jid=self.jid)
        return self._raw_data

    @property
    def data(self) -> Any:
        """The payload as Python values, parsed when first asked for.

        Assigning sends the new value, as it is then, along when the job is completed; changing a part of a value does
        not. Raises InvalidArgument when assigned what JSON cannot say.
        """
        if self._data is UNCHANGED:
            self._data = json.loads(self.raw_data)
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._carry(json_text(value, "data", "job_complete"))
        self._data_changed = True

    @property
    def locals(self) -> dict[str, Any]:
        """A dictionary for the middleware and the handler of this run; nothing of it is kept. Copies have their own."""
        if self._locals is None:
            self._locals = {}
        return self._locals

    @property
    def lost(self) -> str | None:
        """Why the worker is known to have lost this job (expired, cancelled, replaced, finished, unknown), or None.

        A long handler looks here to stop early: its outcome would be refused. The worker learns of it within 2 s.
        Only for jobs of a worker. Does not ask Redis.
        """
        return self._holder.lost(self.jid, self.token) if self._holder and self.token else None

    def complete(
        self,
        result: Any = None,
        *,
        queue: str | None = None,
        data: Any = UNCHANGED,
        delay: float | timedelta = 0,
        dependencies: Iterable[str] = (),
    ) -> str:
        """End the job well. With a route left, or `queue`, it goes on there; else it is completed for good.

        result: anything JSON can say; kept with the job. Default none.
        queue: the next queue, in place of the route's next. Default: the route's next, if any.
        data: the payload for the next queue. Default: unchanged, or what was assigned to `data`.
        delay: seconds before it may be reserved there, 0 or more. Default 0. Where there is no next queue, the job is
            completed at once: there is nothing to wait for, and what was done is not refused.
        dependencies: up to 256 jids it waits for there; one that is completed or unknown is none. Default none.

        Returns the new state: completed, waiting, scheduled or blocked. Raises LockLost when the lease was lost (with
        the reason; nothing changed), InvalidArgument, Cycle, TooDeep, WrongState for a job that nobody holds. When the
        engine refuses what a worker's job asks for (a result too long, a cycle), the worker runs it again for that
        error. Releases the GIL.

        Source: core/src/engine/ops/job_complete.lua
        """
        return self._settle(
            "complete", self._completion(result, queue=queue, data=data, delay=delay, dependencies=dependencies)
        )

    def fail(self, group: str, message: str = "", trace: str = "") -> str:
        """Give the job up, whatever retries are left; it is kept in its failure group.

        group: failures that share a cause, 1 to 255 bytes.
        message, trace: text for people, each cut at 16 KiB. Default empty.

        Returns failed. Raises LockLost, InvalidArgument, WrongState like `complete`. Releases the GIL.

        Source: core/src/engine/ops/job_fail.lua
        """
        return self._settle("fail", {"group": group, "message": message, "trace": trace})

    def retry(self, delay: float | timedelta = 0, *, group: str = "", message: str = "", trace: str = "") -> str:
        """Put the job back to run again, and spend one of its retries.

        delay: seconds before it may be reserved, 0 or more. Default 0.
        group: where it fails when no retry is left. Default `failed-retries-<queue>`.
        message, trace: text for people, each cut at 16 KiB. Default empty.

        Returns waiting, scheduled, or failed when no retry was left. Raises LockLost, InvalidArgument, WrongState like
        `complete`. Releases the GIL.

        Source: core/src/engine/ops/job_retry.lua
        """
        said = {"group": group, "message": message, "trace": trace}
        given = {name: text for name, text in said.items() if text}
        return self._settle("retry", {"delay_ms": milliseconds(delay, "delay", "job_retry"), **given})

    def snooze(self, delay: float | timedelta) -> str:
        """Put the job back to run again later, without spending a retry.

        delay: seconds before it may be reserved, 0 or more.

        Returns waiting or scheduled. Raises LockLost, InvalidArgument, WrongState like `complete`. Releases the GIL.

        Source: core/src/engine/ops/job_snooze.lua
        """
        return self._settle("snooze", {"delay_ms": milliseconds(delay, "delay", "job_snooze")})

    def release(self) -> str:
        """Give the job back as if it had not been taken: at its old place, nothing spent, no trace in its history.

        Returns waiting. Raises LockLost and WrongState like `complete`. Releases the GIL.

        Source: core/src/engine/ops/job_release.lua
        """
        return self._settle("release", {})

    def heartbeat(self, data: Any = UNCHANGED) -> float:
        """Renew the lease. A worker does this by itself; who reserves by hand calls it often enough.

        data: its payload from now on, kept in Redis: the next run begins with it. Default: unchanged.

        Returns how long the lease now lasts, in seconds. Raises LockLost and WrongState like `complete`,
        InvalidArgument for data that JSON cannot say or that is too long. Releases the GIL.

        Source: core/src/engine/ops/job_heartbeat.lua, core/src/engine/ops/job_save.lua
        """
        if data is UNCHANGED:
            holder, token = self._held("job_heartbeat")
            return holder.renew(self.jid, token) / 1000
        _, token = self._held("job_save")
        raw_data = json_text(data, "data", "job_save")
        lease_ms: int = self._call("job_save", {"jid": self.jid, "token": token, "data": data})
        self._carry(raw_data)
        return lease_ms / 1000

    def progress(self, value: float, note: str = "") -> None:
        """Say how far the job is; others read it as `progressed`.

        value: 0 to 1.
        note: text for people, up to 1024 bytes. Default empty.

        Raises LockLost, InvalidArgument, WrongState like `complete`. Releases the GIL.

        Source: core/src/engine/ops/job_progress.lua
        """
        _, token = self._held("job_progress")
        with renamed(progress="value"):
            self._call("job_progress", {"jid": self.jid, "token": token, "progress": value, "note": note})

    def _completion(
        self,
        result: Any,
        *,
        queue: str | None = None,
        data: Any = UNCHANGED,
        delay: float | timedelta = _NO_DELAY,
        dependencies: Iterable[str] = (),
    ) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if result is not None:
            fields["result"] = result
        if data is not UNCHANGED:
            fields["data"] = data
        elif self._data_changed:
            fields["data"] = json.loads(self.raw_data)
        if queue is not None:
            fields["queue"] = queue
        if delay is not _NO_DELAY and (delay_ms := milliseconds(delay, "delay", "job_complete")):
            fields["delay_ms"] = delay_ms
        if dependencies != () and (on := texts(dependencies, "dependencies", "job_complete")):
            fields["dependencies"] = on
        return fields

    def _settle(self, verb: str, fields: dict[str, Any]) -> str:
        holder, token = self._held(f"job_{verb}")
        self.state = cast("State", holder.settle(self.jid, token, verb, fields))
        self._holder = self._view = None
        self._failed = Fail(**fields) if verb == "fail" else None
        return self.state

    def _held(self, operation: str) -> tuple[Holder, str]:
        if self._holder is None or self.token is None:
            self._there(operation)  # one that was built, or copied, says that
            message = f"job {self.jid} is {self.state} and not in this program's hands"
            raise WrongState(message, operation=operation, jid=self.jid)
        return self._holder, self.token

    def __repr__(self) -> str:
        return f"<manyhands.Job {self.jid} {self.kind!r} in {self.queue!r}, {self.state}>"

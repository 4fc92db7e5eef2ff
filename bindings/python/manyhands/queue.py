"""A named line of jobs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from manyhands import _native
from manyhands._own_limits import limits_in_milliseconds
from manyhands._wire import given, in_seconds, integer, object_text, refuse_unknown, renamed, text
from manyhands.errors import InvalidArgument
from manyhands.job import Job
from manyhands.page import Jids, Page, page_of_jids
from manyhands.put import OPERATION as _PUT
from manyhands.put import Placed, Put
from manyhands.recurring import Recurring, recurring_fields
from manyhands.stats import Counts, Stats
from manyhands.throttle import Throttle

if TYPE_CHECKING:
    from manyhands.backoff import BackoffLike
    from manyhands.client import Client


_RESERVE = "queue_reserve"

ListedState = Literal["waiting", "scheduled", "blocked", "throttled", "running", "stalled", "recurring"]


class Queue:
    """A named line of jobs. Get it as `client.queue(name)`."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name

    def put(
        self,
        kind: str,
        data: Any = None,
        *,
        jid: str | None = None,
        priority: int | None = None,
        delay: float | timedelta | None = None,
        retries: int | None = None,
        tags: Sequence[str] | None = None,
        route: Sequence[str] | None = None,
        throttles: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | timedelta | None = None,
        backoff: BackoffLike | None = None,
        dependencies: Sequence[str] | None = None,
        missing: str | None = None,
        on_conflict: str | None = None,
        **unknown: NoReturn,
    ) -> Placed:
        """Place one job in this queue. From the return on it is kept until it is completed or cancelled.

        kind: names the handler that will perform it, 1 to 255 bytes.
        data: anything JSON can say, up to the `max-data` setting (1 MiB). Default None.
        jid: the job's id, 1 to 255 bytes. Default: a new UUID.
        priority: -128 to 127, larger first. Default 0.
        delay: seconds before it may be reserved, 0 or more. Default 0.
        retries: how many times it may run again, 0 to 255. Default 5.
        tags: up to 32 labels. Default none.
        route: up to 64 queues it goes through after this one, one completion each. Default none.
        throttles: up to 32 limits it is held to besides the queue's own: see `Client.throttle`. Default none.
        headers: up to 32 texts by name, 4 KiB in all, that go with it through all stages, such as a trace's context.
            Default none.
        timeout: seconds that a run of it may take, at least 0.001: see `Worker`. Default: as its kind or worker says.
        backoff: how long it waits after an error that no RetryRules name: seconds, a list of at most 64, one after the
            other, or a Backoff, but no function. Default: as its kind or worker says.
        dependencies: up to 256 jids of jobs that must be completed before it may be reserved. Default none.
        missing: what a dependency is that does not exist: satisfied, or reject to refuse the put. Default satisfied.
        on_conflict: when the jid exists: replace (unless it is running, then keep), move (always replace), keep or
            reject. Default replace.

        Raises InvalidArgument, naming the argument, before anything is written; JobExists when on_conflict is reject
        and the jid exists; UnknownDependency, Cycle, TooDeep for dependencies; OutOfMemory when Redis is full.
        Releases the GIL.

            client.queue("mail").put("welcome", {"to": "ann@example.com"}, delay=1.5)

        Source: core/src/engine/ops/queue_put.lua
        """
        refuse_unknown(unknown, _PUT)
        options = {
            "jid": jid,
            "priority": priority,
            "delay": delay,
            "retries": retries,
            "tags": tags,
            "route": route,
            "throttles": throttles,
            "headers": headers,
            "timeout": timeout,
            "backoff": backoff,
            "dependencies": dependencies,
            "missing": missing,
            "on_conflict": on_conflict,
        }
        return self._put([Put(self.name, kind, data, given(options))], alone=True)[0]

    def put_many(self, jobs: Iterable[Mapping[str, Any]]) -> list[Placed]:
        """Place several jobs in this queue, in their order; when an argument is bad, none of them.

        Up to 250 jobs, with up to 250 tags and throttles in all (each dependency counted twice) and 8 MiB of data, are
        one step: all or none. More, or jobs that replace some with more, go by several steps, and an error then says
        how many jobs are put.

        jobs: 1 or more mappings with the arguments of `put` as keys; `kind` is required.

        Returns a Placed per job, in order. Raises InvalidArgument naming the argument, of several jobs as
        `jobs[3].priority`.
        Releases the GIL.

        Source: core/src/engine/ops/queue_put.lua
        """
        if isinstance(jobs, (str, bytes, Mapping)) or not isinstance(jobs, Iterable):
            raise InvalidArgument(f"jobs must be a list of mappings, not {type(jobs).__name__}", operation=_PUT)
        several = list(jobs)
        for at, job in enumerate(several):
            if type(job) is not dict and not isinstance(job, Mapping):
                raise InvalidArgument(f"jobs[{at}] must be a mapping, not {type(job).__name__}", operation=_PUT)
        return self._put(Put.all_of(self.name, several), alone=False)

    def _put(self, puts: list[Put], *, alone: bool) -> list[Placed]:
        return self._client._putting.put(self._client, puts, alone=alone)

    def reserve(self, limit: int = 1, *, worker: str | None = None) -> list[Job]:
        """Take up to `limit` jobs of this queue under a lease.

        limit: 1 to 250. Fewer come back when the queue holds fewer; none is an empty list, not an error. Default 1.
        worker: the name that holds the lease. Default: host:pid:random, the same for all of this client's calls.

        The lease is as long as the queue's `heartbeat` setting (seconds); it is renewed by `Job.heartbeat`.
        Order: larger priority first, then first put; a job whose lease ran out keeps its old place.
        A paused or fully throttled queue gives none. Raises InvalidArgument for a bad limit.
        Does not wait: see Worker.next for that. Releases the GIL.

        Source: core/src/engine/ops/queue_reserve.lua
        """
        name, limit = text(self.name, "queue", _RESERVE), integer(limit, "limit", _RESERVE)
        worker = None if worker is None else text(worker, "worker", _RESERVE)
        return [Job._of_reserved(self._client, job) for job in self._client._native.reserve(name, limit, worker)]

    def counts(self) -> Counts:
        """How many of its jobs are in each state, and whether it is paused. Releases the GIL.

        Source: core/src/engine/ops/queue_counts.lua
        """
        return cast("Counts", self._client.call("queue_counts", {"queue": self.name}))

    def stats(self, day: str | date | None = None) -> Stats:
        """The figures of one day: wait and run times in seconds, failures and retries.

        day: a date or YYYY-MM-DD, in UTC. Default today. Kept for the `stats-history` setting (30 days).

        Raises InvalidArgument for something else than a day. Releases the GIL.

        Source: core/src/engine/ops/queue_stats.lua
        """
        if isinstance(day, date) and not isinstance(day, datetime):
            day = day.isoformat()
        if not isinstance(day, (str, type(None))):
            raise InvalidArgument(f"day must be a date or text, not {type(day).__name__}", operation="queue_stats")
        arguments = {"queue": self.name} if day is None else {"queue": self.name, "day": day}
        stats = in_seconds(self._client.call("queue_stats", arguments))
        for sample in (stats["wait"], stats["run"]):
            sample["histogram"] = [
                (None if upper_ms is None else upper_ms / 1000, count) for upper_ms, count in sample["histogram"]
            ]
        return cast("Stats", stats)

    def length(self) -> int:
        """How many jobs are in it, in whatever state; recurring jobs are not counted. Releases the GIL.

        Source: core/src/engine/ops/queue_length.lua
        """
        return cast("int", self._client.call("queue_length", {"queue": self.name}))

    def peek(self, offset: int = 0, limit: int = 25) -> list[Job]:
        """The jobs that would be reserved next, without reserving them: waiting ones only.

        offset: how many to pass over, 0 or more. Default 0.
        limit: 1 to 250. Default 25.

        Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/queue_peek.lua
        """
        arguments = object_text({"queue": self.name, "offset": offset, "limit": limit}, "queue_peek")
        jobs, rest = self._client._viewed(self._client._native.call("queue_peek", arguments))
        return [job for job in jobs + (self._client.jobs(rest) if rest else []) if job is not None]

    def jobs(self, state: ListedState, offset: int = 0, limit: int = 25) -> Jids:
        """Its jobs in one state, a page of their ids: next to run, to become due or to expire first.

        state: waiting, scheduled, blocked, throttled, running, stalled or recurring.
        offset, limit: as in `peek`.

        Failed and completed jobs are in no queue: see `Client.failed` and `Client.completed`. Raises InvalidArgument.
        Releases the GIL.

        Source: core/src/engine/ops/job_list.lua
        """
        arguments = {"state": state, "queue": self.name, "offset": offset, "limit": limit}
        return page_of_jids(self._client, "job_list", arguments)

    def pause(self) -> bool:
        """Let nothing more be reserved from it; running jobs go on.

        Returns False when it was paused already. Releases the GIL.

        Source: core/src/engine/ops/queue_pause.lua
        """
        return self._one("queue_pause")

    def unpause(self) -> bool:
        """Let it be served again.

        Returns False when it was not paused. Releases the GIL.

        Source: core/src/engine/ops/queue_unpause.lua
        """
        return self._one("queue_unpause")

    def forget(self) -> bool:
        """Drop it from the lists while it is empty, with its pause, settings and throttle. The next put brings it back.

        Returns False when it was unknown. Raises WrongState while it has jobs or recurring jobs. Releases the GIL.

        Source: core/src/engine/ops/queue_forget.lua
        """
        return self._one("queue_forget")

    @property
    def throttle(self) -> Throttle:
        """The limit on how many of its jobs run at once."""
        return Throttle(self._client, queue=self.name)

    def put_recurring(
        self,
        kind: str,
        data: Any = None,
        *,
        interval: float | timedelta,
        jid: str | None = None,
        offset: float | timedelta | None = None,
        backlog: int | None = None,
        priority: int | None = None,
        retries: int | None = None,
        tags: Sequence[str] | None = None,
        throttles: Sequence[str] | None = None,
        route: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | timedelta | None = None,
        backoff: BackoffLike | None = None,
        **unknown: NoReturn,
    ) -> Recurring:
        """From now on put a job into this queue every interval; one for each that passes, even when nobody looks.

        kind, data: of its jobs, as in `put`.
        interval: seconds from one to the next, at least 0.001.
        jid: its id, 1 to 235 bytes; its jobs are called <jid>-1, <jid>-2, ... A recurring job of that jid is replaced,
            and counts on. Default: a new UUID.
        offset: seconds until the first, 0 or more. Default 0.
        backlog: how many of those missed are put at most; 0: all. Default 0.
        priority, retries, tags, throttles, route, headers, timeout, backoff: of its jobs, as in `put`.

        Raises InvalidArgument, naming the argument, before anything is written. Releases the GIL.

            client.queue("reports").put_recurring("daily", interval=timedelta(days=1), jid="daily-report")

        Source: core/src/engine/ops/recurring_put.lua
        """
        refuse_unknown(unknown, "recurring_put")
        options: dict[str, Any] = {"backlog": backlog, "priority": priority, "retries": retries, "tags": tags}
        options |= {"throttles": throttles, "route": route, "headers": headers}
        fields = recurring_fields("recurring_put", options, interval=interval, data=data, offset=offset)
        fields |= limits_in_milliseconds(timeout, backoff, "recurring_put")
        jid = uuid.uuid4().hex if jid is None else jid
        self._client.call("recurring_put", {"jid": jid, "queue": self.name, "kind": kind, **fields})
        return Recurring(self._client, jid)

    def recurring(self, offset: int = 0, limit: int = 25) -> Page[Recurring]:
        """Its recurring jobs, a page of them, next first, paused ones last.

        offset, limit: as in `peek`.

        Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/recurring_list.lua
        """
        arguments = object_text({"queue": self.name, "offset": offset, "limit": limit}, "recurring_list")
        reply = _native.members(self._client._native.call("recurring_list", arguments))
        views = _native.elements(reply["jobs"])
        return Page(json.loads(reply["total"]), [Recurring(self._client, view=view) for view in views])

    def _one(self, operation: str) -> bool:
        """Calls an operation on many queues for this one: whether it changed."""
        with renamed(queues="queue"):
            return bool(self._client.call(operation, {"queues": [self.name]}))

    def __repr__(self) -> str:
        return f"<manyhands.Queue {self.name!r}>"

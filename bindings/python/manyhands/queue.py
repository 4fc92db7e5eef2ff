"""A named line of jobs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypedDict, cast

from manyhands._wire import in_seconds, milliseconds, object_text, refuse_unknown
from manyhands.errors import InvalidArgument, raised
from manyhands.job import Job

if TYPE_CHECKING:
    from manyhands.client import Client


_PUT = "queue_put"


class Placed(NamedTuple):
    """What became of one put.

    jid: the job's id, the caller's own or a generated one.
    outcome: put, replaced (an older job of that jid gave way), kept (the older one stays), or, from put_many only,
        exists (refused by on_conflict='reject').
    """

    jid: str
    outcome: Literal["put", "replaced", "kept", "exists"]


class Counts(TypedDict):
    """How many jobs of a queue are in each state; stalled ones, whose lease ran out, are not among the running."""

    waiting: int
    scheduled: int
    blocked: int
    throttled: int
    running: int
    stalled: int
    recurring: int
    paused: bool


class Sample(TypedDict):
    """Times of the jobs of one day, in seconds; histogram: (upper end of the bucket, jobs in it)."""

    count: int
    mean: float
    deviation: float
    p50: float
    p99: float
    histogram: list[tuple[float | None, int]]


class Stats(TypedDict):
    """A queue's day: how long jobs waited and ran, and how many failed or were run again."""

    wait: Sample
    run: Sample
    failures: int
    retries: int


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
        on_conflict: when the jid exists: replace (unless it is running, then keep), move (always replace), keep or
            reject. Default replace.

        Raises InvalidArgument, naming the argument, before anything is written; JobExists when on_conflict is reject
        and the jid exists; OutOfMemory when Redis is full. Releases the GIL.

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
            "on_conflict": on_conflict,
        }
        given = {name: value for name, value in options.items() if value is not None}
        placed = self._placed([self._item({"kind": kind, "data": data, **given})])[0]
        if error := placed.get("error"):
            raise raised(error)
        return Placed(placed["jid"], placed["outcome"])

    def put_many(self, jobs: Iterable[Mapping[str, Any]]) -> list[Placed]:
        """Place several jobs in this queue in one call; all of them or, when an argument is bad, none.

        jobs: up to 1000 mappings with the arguments of `put` as keys; `kind` is required.

        Returns a Placed per job, in order. Raises InvalidArgument naming the argument, of several jobs as
        `jobs[3].priority`.
        Releases the GIL.

        Source: core/src/engine/ops/queue_put.lua
        """
        several = list(jobs)
        items = [self._item(job, f"jobs[{at}]." if len(several) > 1 else "") for at, job in enumerate(several)]
        return [Placed(placed["jid"], placed["outcome"]) for placed in self._placed(items)]

    def _placed(self, items: list[str]) -> list[dict[str, Any]]:
        placed: list[dict[str, Any]] = json.loads(self._client._native.call(_PUT, f'{{"jobs":[{",".join(items)}]}}'))
        return placed

    def _item(self, job: Mapping[str, Any], within: str = "") -> str:
        """One job of a put as the core reads it. `within` says in errors which one it is."""
        item = {"queue": self.name, **job}
        if "queue" in job:
            message = f"{within}queue is not an option of a put: it goes to the queue it is called on"
            raise InvalidArgument(message, operation=_PUT)
        if "delay_ms" in job:
            message = f"{within}delay_ms is not an option of a put: say delay, in seconds"
            raise InvalidArgument(message, operation=_PUT)
        if "delay" in item:
            item["delay_ms"] = milliseconds(item.pop("delay"), f"{within}delay", _PUT)
        return object_text(item, _PUT, within)

    def reserve(self, limit: int = 1, *, worker: str | None = None) -> list[Job]:
        """Take up to `limit` jobs of this queue under a lease.

        limit: 1 to 1000. Fewer come back when the queue holds fewer; none is an empty list, not an error. Default 1.
        worker: the name that holds the lease. Default: host:pid:random, the same for all of this client's calls.

        The lease is as long as the queue's `heartbeat` setting (seconds); it is renewed by `Job.heartbeat`.
        Order: larger priority first, then first put; a job whose lease ran out keeps its old place.
        A paused or fully throttled queue gives none. Raises InvalidArgument for a bad limit.
        Does not wait: see Worker.next for that. Releases the GIL.

        Source: core/src/engine/ops/queue_reserve.lua
        """
        return [Job._of_reserved(self._client, job) for job in self._client._native.reserve(self.name, limit, worker)]

    def counts(self) -> Counts:
        """How many of its jobs are in each state, and whether it is paused. Releases the GIL.

        Source: core/src/engine/ops/queue_counts.lua
        """
        return cast("Counts", self._client.call("queue_counts", {"queue": self.name}))

    def stats(self, day: str | None = None) -> Stats:
        """The figures of one day: wait and run times in seconds, failures and retries.

        day: YYYY-MM-DD in UTC. Default today. Kept for the `stats-history` setting (30 days).

        Raises InvalidArgument for something else than a day. Releases the GIL.

        Source: core/src/engine/ops/queue_stats.lua
        """
        arguments = {"queue": self.name} if day is None else {"queue": self.name, "day": day}
        stats = in_seconds(self._client.call("queue_stats", arguments))
        for sample in (stats["wait"], stats["run"]):
            sample["histogram"] = [
                (None if upper_ms is None else upper_ms / 1000, count) for upper_ms, count in sample["histogram"]
            ]
        return cast("Stats", stats)

    def __repr__(self) -> str:
        return f"<manyhands.Queue {self.name!r}>"

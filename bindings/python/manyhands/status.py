"""What an operator reads: the workers, why a job does not run, what is wrong with the data."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class WorkerStatus(TypedDict):
    """What others see of a worker.

    name: its name. silent: seconds since it was last heard of. lost: declared so by its supervisor.
    running, stalled: its jobs in hand. status: what it says of itself (language, version, host, pid, threads, queues,
        kinds, running, quiet, paused, since: seconds it lives, memory: bytes, jobs: at most 100 of those it performs,
        each with jid, kind, queue and since), or None.
    """

    name: str
    silent: float
    lost: bool
    running: int
    stalled: int
    status: dict[str, Any] | None


class Explanation(TypedDict):
    """Why a job is not running, or what has become of it.

    reasons: what holds it up, each with `why`: paused, throttled (throttle, limit, held, holders: the first ten jids),
        dependencies (count, jids: the first ten, failed: those of them that are failed), scheduled (due_in),
        running (worker, lease_left), failed (group, message), completed (ago), no-worker (queue), unknown-kind (kind).
        Spans are seconds.
    position: how many jobs of its queue come before it, None unless it waits.
    estimated_wait: seconds, by today's run times and the jobs running now, or None.
    """

    jid: str
    state: str
    queue: str
    reasons: list[dict[str, Any]]
    position: int | None
    estimated_wait: float | None


class Violation(TypedDict):
    """Something that does not agree with the jobs' records.

    rule: missing, score, stray, count, due, blocked, dependents, throttle, queue, use, ready, lost, orphan, state or
        type, as check.lua explains them.
    jid: the job, None for counts and types. detail: what was found. repaired: whether it is mended.
    """

    rule: Literal[
        "missing",
        "score",
        "stray",
        "count",
        "due",
        "blocked",
        "dependents",
        "throttle",
        "queue",
        "use",
        "ready",
        "lost",
        "orphan",
        "state",
        "type",
    ]
    jid: str | None
    detail: str
    repaired: bool


class Swept(TypedDict):
    """One step of a sweep: jobs moved on, old things forgotten, seconds until something is due (None: nothing is)."""

    moved: int
    trimmed: int
    next_due: float | None

"""The figures of a queue: how many jobs are in it, how long they waited and ran."""

from __future__ import annotations

from typing import TypedDict


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


class QueueCounts(Counts):
    """The same with the queue's name."""

    name: str


class Sample(TypedDict):
    """Times of the jobs of one day, in seconds; histogram: (upper end of the bucket, jobs in it)."""

    count: int
    mean: float
    deviation: float
    p50: float
    p99: float
    histogram: list[tuple[float | None, int]]


class Stats(TypedDict):
    """A queue's day: how long jobs waited and ran, how many failed (and are failed still) or were run again."""

    wait: Sample
    run: Sample
    failures: int
    failed: int
    retries: int

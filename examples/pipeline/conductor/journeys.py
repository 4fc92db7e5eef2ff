"""What became of each document: its record, and its way through the stages by the engine's own history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from manyhands import Client, Job

from documents import Document
from output import Output
from stages import STAGES


@dataclass
class Attempt:
    """One worker's try at one stage. Times are epoch seconds.

    ready_at: when the job began to wait for it. ended: completed, lost (the worker was killed), failed or retried.
    """

    queue: str
    pid: int
    ready_at: float
    started_at: float
    ended_at: float = 0.0
    ended: str = ""


@dataclass
class Journey:
    """A document with its record (none when it did not get through), its attempts, and what is wrong, if anything."""

    document: Document
    record: dict[str, Any] | None
    attempts: list[Attempt] = field(default_factory=list)
    trouble: str = ""

    @property
    def lost(self) -> int:
        """How many attempts ended because the worker was killed."""
        return sum(attempt.ended == "lost" for attempt in self.attempts)


def collect(client: Client, output: Output, documents: list[Document]) -> list[Journey]:
    """The journeys of all documents, in their order, each checked: see `_trouble`."""
    records = output.read_records()
    journeys = []
    for document in documents:
        job = client.job(document.jid)
        journey = Journey(document, records.pop(document.jid, None))
        if job is not None:
            journey.attempts = _attempts(job.history)
        journey.trouble = _trouble(journey, job)
        journeys.append(journey)
    if records:
        raise AssertionError(f"records that nobody asked for: {', '.join(records)}")
    return journeys


def _attempts(history: list[dict[str, Any]]) -> list[Attempt]:
    attempts: list[Attempt] = []
    queue, ready_at = "", 0.0
    for entry in history:
        what, at = entry["what"], entry["at"]
        if what == "put":
            queue, ready_at = entry["queue"], at
        elif what == "reserved":
            _, pid, _ = entry["worker"].rsplit(":", 2)
            attempts.append(Attempt(queue, int(pid), ready_at, at))
        elif attempts:
            attempts[-1].ended, attempts[-1].ended_at = what, at
            ready_at = at
    return attempts


def _trouble(journey: Journey, job: Job | None) -> str:
    """Why a document did not end as promised: one record, every stage completed exactly once, in order."""
    if job is None:
        return "its job is gone"
    if job.state != "completed":
        failure = job.failure
        return f"{failure['group']}: {failure['message']}" if failure else f"its job is still {job.state}"
    if journey.record is None:
        return "it has no record"
    wanted = [stage.queue for stage in STAGES]
    completed = [attempt for attempt in journey.attempts if attempt.ended == "completed"]
    if [attempt.queue for attempt in completed] != wanted:
        return f"its stages were completed as {', '.join(attempt.queue for attempt in completed)}"
    told = [(step["stage"], step["pid"]) for step in journey.record["journey"]]
    if told != [(attempt.queue, attempt.pid) for attempt in completed]:
        return "its record and the engine's history tell different journeys"
    return ""

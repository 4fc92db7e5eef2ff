"""The figures of a run: per stage from the engine's statistics, and in sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from manyhands import Client, Sample

from journeys import Journey
from stages import STAGES, Stage


@dataclass(frozen=True)
class Times:
    """Mean and 99th percentile, in seconds."""

    mean: float
    p99: float


@dataclass(frozen=True)
class StageFigures:
    """One stage: its jobs, how many failed, how many were lost with their worker, how long they waited and ran."""

    stage: Stage
    jobs: int
    failures: int
    lost: int
    wait: Times
    run: Times


@dataclass(frozen=True)
class RunFigures:
    """A whole run. seconds: from the first put to the last outcome. kills: workers killed on purpose."""

    started_at: float
    seconds: float
    kills: int
    chaos: bool
    stages: list[StageFigures]


def of_stages(client: Client, started_at: float, ended_at: float, journeys: Sequence[Journey]) -> list[StageFigures]:
    """Each stage's figures over the UTC days of the run."""
    figures = []
    for stage in STAGES:
        days = [client.queue(stage.queue).stats(day) for day in _days(started_at, ended_at)]
        attempts = [attempt for journey in journeys for attempt in journey.attempts if attempt.queue == stage.queue]
        figures.append(
            StageFigures(
                stage,
                jobs=sum(day["run"]["count"] for day in days),
                failures=sum(day["failures"] for day in days),
                lost=sum(attempt.ended == "lost" for attempt in attempts),
                wait=_times([day["wait"] for day in days]),
                run=_times([day["run"] for day in days]),
            )
        )
    return figures


def table(figures: Sequence[StageFigures]) -> list[str]:
    """The figures as lines of text."""
    rows: list[tuple[str, ...]] = [
        ("stage", "language", "jobs", "failures", "lost", "wait mean", "wait p99", "run mean", "run p99")
    ]
    for of in figures:
        times = (of.wait.mean, of.wait.p99, of.run.mean, of.run.p99)
        counts = (str(count) for count in (of.jobs, of.failures, of.lost))
        rows.append((of.stage.queue, of.stage.language, *counts, *map(span, times)))
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = "  " + "  ".join("─" * width for width in widths)
    lines = ["  " + "  ".join(_cell(row, index, widths[index]) for index in range(len(row))) for row in rows]
    return [lines[0], rule, *lines[1:]]


def span(seconds: float) -> str:
    """A length of time as people read it: 3.2 ms, 1.84 s, 2 min 5 s."""
    if seconds < 1:
        milliseconds = seconds * 1000
        return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _cell(row: tuple[str, ...], index: int, width: int) -> str:
    return row[index].ljust(width) if index < 2 else row[index].rjust(width)


def _times(days: list[Sample]) -> Times:
    """One day's as they are. A run over midnight has two: their weighted mean, and the larger p99."""
    count = sum(day["count"] for day in days)
    if count == 0:
        return Times(0.0, 0.0)
    return Times(
        sum(day["mean"] * day["count"] for day in days) / count, max(day["p99"] for day in days if day["count"])
    )


def _days(started_at: float, ended_at: float) -> list[str]:
    day = datetime.fromtimestamp(started_at, timezone.utc).date()
    last = datetime.fromtimestamp(ended_at, timezone.utc).date()
    days = []
    while day <= last:
        days.append(day.isoformat())
        day += timedelta(days=1)
    return days

"""The page out/index.html: every document's chart and journey, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from figures import RunFigures, StageFigures, span
from journeys import Attempt, Journey
from stages import EXAMPLE, STAGES

PARTS = EXAMPLE / "page"
LANGUAGES = {stage.queue: stage.language for stage in STAGES}


def write(path: Path, journeys: Sequence[Journey], totals: RunFigures) -> None:
    """Write the page of a run to `path`."""
    path.write_text(render(journeys, totals), "utf-8")


def render(journeys: Sequence[Journey], totals: RunFigures) -> str:
    """The page of a run, as HTML."""
    records = [journey.record for journey in journeys if journey.record]
    return _part("page.html").substitute(
        style=_text("page.css"),
        script=_text("page.js"),
        title=f"{_many(len(journeys), 'file')}, four languages",
        summary=_summary(journeys, totals),
        stages="".join(_stage(of, totals) for of in totals.stages),
        words=f"{sum(record['words'] for record in records):,}",
        bytes=_size(sum(record["bytes"] for record in records)),
        files=f"{len(records):,}",
        jobs=f"{sum(of.jobs for of in totals.stages):,}",
        seconds=span(totals.seconds),
        cards="\n".join(_card(journey, totals) for journey in journeys),
    )


def _summary(journeys: Sequence[Journey], totals: RunFigures) -> str:
    when = datetime.fromtimestamp(totals.started_at).astimezone()
    said = f"{when:%d %B %Y, %H:%M:%S}"
    if totals.chaos:
        lost = sum(journey.lost for journey in journeys)
        said += (
            f" · chaos: workers killed with SIGKILL while they worked: {totals.kills}; "
            f"jobs lost with them and done again: {lost}"
        )
    return escape(said)


def _stage(of: StageFigures, totals: RunFigures) -> str:
    lost = f"<div><dt>lost</dt><dd>{of.lost}</dd></div>" if totals.chaos else ""
    return _part("stage.html").substitute(
        stage=of.stage.queue,
        language=of.stage.language,
        does=escape(of.stage.does),
        jobs=f"{of.jobs:,}",
        failures=of.failures,
        lost=lost,
        wait_mean=span(of.wait.mean),
        wait_p99=span(of.wait.p99),
        run_mean=span(of.run.mean),
        run_p99=span(of.run.p99),
    )


def _card(journey: Journey, totals: RunFigures) -> str:
    record = journey.record or {}
    folder, _, name = journey.document.name.rpartition("/")
    return _part("card.html").substitute(
        id=escape(journey.document.jid, quote=True),
        name=escape(name),
        folder=escape(folder),
        key=escape(journey.document.name.lower(), quote=True),
        bytes=record.get("bytes", 0),
        words=record.get("words", 0),
        facts=_facts(record),
        # The chart is the draw stage's own SVG, which escapes the words in it.
        chart=record.get("chart", f'<p class="trouble">{escape(journey.trouble)}</p>'),
        lanes="".join(_lane(stage.queue, journey, totals) for stage in STAGES),
        attempts="".join(_attempt(attempt, record, totals) for attempt in journey.attempts),
        sha256=escape(record.get("sha256", "none")),
        jid=escape(journey.document.jid),
    )


def _facts(record: dict[str, Any]) -> str:
    if not record:
        return "not in the output"
    facts = [_size(record["bytes"]), _many(record["lines"], "line")]
    if record["words"]:
        facts += [_many(record["words"], "word"), f"{record['different']:,} different"]
    if record["encoding"] != "utf-8":
        facts.append(record["encoding"])
    return " · ".join(facts)


def _lane(queue: str, journey: Journey, totals: RunFigures) -> str:
    """One stage of a journey as a line on the time scale of the whole run."""
    attempts = [attempt for attempt in journey.attempts if attempt.queue == queue]
    bars = "".join(_bars(attempt, totals) for attempt in attempts)
    done = attempts[-1] if attempts else None
    pid = str(done.pid) if done else "–"
    took = span(done.ended_at - done.started_at) if done else ""
    return _part("lane.html").substitute(stage=queue, language=LANGUAGES[queue], pid=pid, bars=bars, took=took)


def _bars(attempt: Attempt, totals: RunFigures) -> str:
    def percent(seconds: float) -> str:
        return f"{100 * seconds / (totals.seconds or 1):.2f}%"

    left, start = attempt.ready_at - totals.started_at, attempt.started_at - totals.started_at
    waited, ran = attempt.started_at - attempt.ready_at, attempt.ended_at - attempt.started_at
    kind = "run" if attempt.ended == "completed" else "lost"
    return (
        f'<i class="wait" style="left:{percent(left)};width:{percent(waited)}"></i>'
        f'<i class="{kind}" style="left:min({percent(start)}, 100% - 4px);width:{percent(ran)}"></i>'
    )


def _attempt(attempt: Attempt, record: dict[str, Any], totals: RunFigures) -> str:
    versions = {step["stage"]: step["language"] for step in record.get("journey", [])}
    return _part("attempt.html").substitute(
        stage=attempt.queue,
        language=escape(versions.get(attempt.queue, LANGUAGES[attempt.queue])),
        pid=attempt.pid,
        clock=f"{datetime.fromtimestamp(attempt.started_at):%H:%M:%S.%f}"[:-3],
        started=span(attempt.started_at - totals.started_at),
        waited=span(attempt.started_at - attempt.ready_at),
        ran=span(attempt.ended_at - attempt.started_at) if attempt.ended == "completed" else escape(attempt.ended),
        kind=attempt.ended,
    )


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    power = min((len(str(count)) - 1) // 3, 3)
    return f"{count / 1000**power:.3g} {' kMG'[power]}B"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _text(name: str) -> str:
    return (PARTS / name).read_text("utf-8")


def _part(name: str) -> Template:
    return Template(_text(name))

"""The conductor: puts one job per file, starts the four workers, shows how far they are, and makes the page.

Environment: INPUT, the folder of files (default: Debian's licences and this repository's docs); OUT, the output folder
(default: out); CHAOS, 1 to kill workers at random.

Exit status: 0 every file is in the output exactly once, 1 some is not, 2 the demo cannot run, 130 it was interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from manyhands import Client, Error

import documents
import figures
import journeys
import page
from crew import Crew
from documents import Document
from errors import DemoError
from figures import RunFigures
from journeys import Journey
from output import Output
from progress import Display, Progress
from stages import KIND, STAGES

LOOK_EVERY = 0.1
PUT_AT_ONCE = 250
# A killed worker's jobs are handed on after heartbeat + grace-period; each kill spends one of their retries.
HEARTBEAT, GRACE_PERIOD = 2.0, 0.5
RETRIES, CHAOS_RETRIES = 3, 100


def main() -> int:
    chosen = os.environ.get("INPUT")
    path = Path(os.environ.get("OUT") or "out").resolve()
    chaos = os.environ.get("CHAOS", "0") not in {"", "0"}
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _interrupt)
    try:
        findings = documents.find(Path(chosen) if chosen else None, path)
        output = Output(path)
        try:
            return run(findings.documents, findings.left_out, output, chaos=chaos)
        finally:
            output.close()
    except (DemoError, Error) as error:
        print(f"pipeline: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("pipeline: interrupted; all workers have stopped", file=sys.stderr)
        return 130


def run(files: list[Document], left_out: list[tuple[str, str]], output: Output, *, chaos: bool) -> int:
    """One run from the first put to the page; returns the exit status."""
    print(f"pipeline: {len(files)} files, {' → '.join(f'{stage.queue} ({stage.language})' for stage in STAGES)}")
    for name, reason in left_out:
        print(f"  left out: {name}: {reason}")
    crew = Crew(output.url, output.logs, chaos=chaos)
    with Client(output.url) as client:
        try:
            started_at = time.time()
            put_all(client, files, output, CHAOS_RETRIES if chaos else RETRIES)
            crew.start()
            follow(client, len(files), crew)
        finally:
            # From here on a second Ctrl-C would leave processes behind; stopping has its own time limit.
            for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signal_number, signal.SIG_IGN)
            crew.stop()
        found = journeys.collect(client, output, files)
        ended_at = max((attempt.ended_at for journey in found for attempt in journey.attempts), default=time.time())
        of_stages = figures.of_stages(client, started_at, ended_at, found)
    totals = RunFigures(started_at, ended_at - started_at, crew.kills, chaos, of_stages)
    page.write(output.page, found, totals)
    status = report(found, totals, output)
    if status == 0:
        output.remove_server()
    return status


def put_all(client: Client, files: list[Document], output: Output, retries: int) -> None:
    """Set the queues up and put one job per file, with the route through all stages."""
    first, *route = [stage.queue for stage in STAGES]
    for queue in (first, *route):
        client.config.set("heartbeat", HEARTBEAT, queue=queue)
        client.config.set("grace-period", GRACE_PERIOD, queue=queue)
    jobs = [
        {
            "kind": KIND,
            "jid": file.jid,
            "data": {"name": file.name, "path": str(file.path), "record": str(output.record_path(file.jid))},
            "route": route,
            "retries": retries,
        }
        for file in files
    ]
    for start in range(0, len(jobs), PUT_AT_ONCE):
        client.queue(first).put_many(jobs[start : start + PUT_AT_ONCE])


def follow(client: Client, total: int, crew: Crew) -> None:
    """Show the progress and look after the workers until no job is left."""
    progress = Progress(client, total)
    display = Display(progress, crew)
    finished = progress.look()
    while not finished:
        display.show()
        time.sleep(LOOK_EVERY)
        crew.tend()
        finished = progress.look()
    display.show(last=True)


def report(found: list[Journey], totals: RunFigures, output: Output) -> int:
    """Print the table and what to look at; returns the exit status."""
    print()
    print("\n".join(figures.table(totals.stages)))
    print()
    if totals.chaos:
        lost = sum(journey.lost for journey in found)
        print(f"  workers killed with SIGKILL: {totals.kills}; jobs lost with them and done again by others: {lost}")
    trouble = [journey for journey in found if journey.trouble]
    for journey in trouble:
        print(f"  {journey.document.name}: {journey.trouble}", file=sys.stderr)
    good = len(found) - len(trouble)
    print(f"  {good} of {len(found)} files are in the output exactly once, after {figures.span(totals.seconds)}")
    print(f"  {output.page}")
    return 1 if trouble else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

"""How far each stage is, and its display: one line per stage, redrawn on a terminal, written now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass

from manyhands import Client

from crew import Crew
from stages import STAGES, Stage

# Seconds between two blocks of lines where nothing can be redrawn.
WRITE_EVERY = 2.0


@dataclass
class Standing:
    """A stage's jobs at one moment. passed: gone on to the next stage; stalled: their worker was killed."""

    passed: int = 0
    waiting: int = 0
    running: int = 0
    stalled: int = 0


class Progress:
    """Follows a run of `total` jobs through the stages."""

    def __init__(self, client: Client, total: int) -> None:
        self._client = client
        self._total = total
        self._standings = {stage: Standing() for stage in STAGES}
        self._left = total

    def look(self) -> bool:
        """Ask the engine where the jobs are; true when none is left in any stage."""
        left = 0
        # In the order of the route: a job that moves on meanwhile may be counted twice for a moment, never missed.
        for stage in STAGES:
            counts = self._client.queue(stage.queue).counts()
            standing = self._standings[stage]
            standing.waiting = counts["waiting"] + counts["scheduled"]
            standing.running = counts["running"]
            standing.stalled = counts["stalled"]
            left += standing.waiting + standing.running + standing.stalled
            standing.passed = max(standing.passed, self._total - left)
        self._left = left
        return left == 0

    @property
    def finished(self) -> int:
        """How many jobs have left the last stage."""
        return self._total - min(self._left, self._total)

    def lines(self, crew: Crew, width: int) -> list[str]:
        """One line per stage, none longer than `width` columns."""
        return [self._line(stage, crew)[:width] for stage in STAGES]

    def _line(self, stage: Stage, crew: Crew) -> str:
        standing = self._standings[stage]
        cells = 24
        full = cells * standing.passed // self._total
        bar = "━" * full + "╌" * (cells - full)
        digits = len(str(self._total))
        told = [(standing.waiting, "waiting"), (standing.running, "running"), (standing.stalled, "stalled")]
        now = ", ".join(f"{count} {what}" for count, what in told if count)
        pid = crew.pid(stage)
        where = f"pid {pid}" if pid else ""
        passed = f"{standing.passed:>{digits}}/{self._total}"
        return f"  {stage.queue:<6}{stage.language:<7} {bar} {passed}  {where:<12}{now}".rstrip()


class Display:
    """Shows a Progress on standard output."""

    def __init__(self, progress: Progress, crew: Crew) -> None:
        self._progress = progress
        self._crew = crew
        self._terminal = sys.stdout.isatty()
        self._drawn: list[str] = []
        self._written_at = 0.0

    def show(self, *, last: bool = False) -> None:
        """Bring the display up to date; `last` leaves the final state behind."""
        width = shutil.get_terminal_size().columns - 1 if self._terminal else 200
        lines = self._progress.lines(self._crew, width)
        if self._terminal:
            if lines != self._drawn:
                up = f"\x1b[{len(self._drawn)}A" if self._drawn else ""
                sys.stdout.write(up + "".join(f"\r{line}\x1b[K\n" for line in lines))
                self._drawn = lines
        elif lines != self._drawn and (last or time.monotonic() - self._written_at >= WRITE_EVERY):
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            self._drawn = lines
            self._written_at = time.monotonic()
        sys.stdout.flush()

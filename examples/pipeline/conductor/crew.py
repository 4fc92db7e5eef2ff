"""The worker processes: one per stage, started, watched, killed at random if asked to, and stopped."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from errors import DemoError
from stages import STAGES, Stage

# How long a worker may take to stop when asked to: then it is asked once more, and killed after as long again. Twice,
# because a Ruby process forgets a TERM that meets the first milliseconds of the interpreter, before any program runs.
STOP_TIMEOUT = 4.0
# Seconds between two kills.
KILL_EVERY = (0.3, 0.8)
# With chaos, each handler takes this much longer: the jobs are so small that a kill would seldom meet one.
CHAOS_PACE_MS = 100


class Crew:
    """The worker processes of a run.

    kills: how many were killed on purpose.
    """

    def __init__(self, url: str, logs: Path, *, chaos: bool) -> None:
        """Describe the crew; `start` starts it."""
        self.kills = 0
        self._logs = logs
        self._chaos = chaos
        self._next_kill = 0.0
        self._environment = {**os.environ, "MANYHANDS_URL": url, "PACE_MS": str(CHAOS_PACE_MS if chaos else 0)}
        self._processes: dict[Stage, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start one worker per stage."""
        for stage in STAGES:
            self._spawn(stage)
        self._next_kill = time.monotonic() + random.uniform(*KILL_EVERY)

    def pid(self, stage: Stage) -> int | None:
        """The process that serves a stage now."""
        process = self._processes.get(stage)
        return process.pid if process else None

    def tend(self) -> None:
        """Look after the workers: call it often. Raises DemoError when one ended that nobody killed."""
        for stage, process in self._processes.items():
            if process.poll() is not None:
                raise DemoError(
                    f"the {stage.queue} worker ({stage.language}) ended by itself: {self._last_words(stage, process)}"
                )
        if self._chaos and time.monotonic() >= self._next_kill:
            self._kill_one()
            self._next_kill = time.monotonic() + random.uniform(*KILL_EVERY)

    def stop(self) -> None:
        """Ask all workers to stop, wait for them, and kill those that do not. Safe to repeat."""
        for _ in range(2):
            for process in self._processes.values():
                process.terminate()
            deadline = time.monotonic() + STOP_TIMEOUT
            for process in self._processes.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        for stage, process in self._processes.items():
            if process.poll() is None:
                process.kill()
                process.wait()
                print(f"  the {stage.queue} worker ({stage.language}) did not stop and was killed", file=sys.stderr)
        self._processes.clear()

    def _spawn(self, stage: Stage) -> None:
        # A session of its own: Ctrl-C reaches the conductor only, which stops the workers in order. Should the
        # conductor itself be killed, setpriv has the kernel ask the workers to stop.
        command = ["setpriv", "--pdeathsig", "TERM", "--", *stage.command]
        with self._log(stage).open("ab") as log:
            self._processes[stage] = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _kill_one(self) -> None:
        stage = random.choice(STAGES)
        with contextlib.suppress(ProcessLookupError):
            self._processes[stage].send_signal(signal.SIGKILL)
        self._processes[stage].wait()
        self.kills += 1
        self._spawn(stage)

    def _log(self, stage: Stage) -> Path:
        return self._logs / f"{stage.queue}.log"

    def _last_words(self, stage: Stage, process: subprocess.Popen[bytes]) -> str:
        said = self._log(stage).read_text("utf-8", errors="replace").strip().splitlines()[-12:]
        status = f"status {process.returncode}" if process.returncode >= 0 else f"signal {-process.returncode}"
        return "\n  ".join([status, *said])

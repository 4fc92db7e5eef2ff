"""The command `python -m manyhands work` as tests run it, and what they ask of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any

from manyhands import Client, Job

TESTS = Path(__file__).parent
PATIENCE = 12.0
"""Seconds; longer than anything here takes."""


def until(what: str, is_true: Callable[[], object]) -> None:
    """Look until it is so."""
    begun = time.monotonic()
    while not is_true():
        assert time.monotonic() - begun < PATIENCE, f"waited in vain: {what}"


def is_gone(pid: int) -> bool:
    """Whether there is no such process any more."""
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def viewed(client: Client, jids: list[str]) -> list[Job]:
    """They all, as they are now."""
    chunks = [client.jobs(jids[at : at + 250]) for at in range(0, len(jids), 250)]
    return [job for chunk in chunks for job in chunk if job]


def title(pid: int) -> str:
    """What ps shows of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def resident_mb(pid: int) -> float:
    """Its memory; 0 when it has just died."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0


class Command:
    """One that runs, with all its processes."""

    def __init__(self, client: Client, folder: Path, flags: tuple[str, ...], app: str, **environment: str) -> None:
        self.client = client
        self._folder = folder
        self._lines: list[str] = []
        self._children: set[int] = set()
        self._seen: set[int] = set()
        self._notes = folder / "notes"
        variables = {"MANYHANDS_URL": client.url, "NAMESPACE": client.namespace, "PYTHONPATH": str(TESTS)}
        variables["NOTES"] = str(self._notes)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "manyhands", "work", app, *flags],
            cwd=TESTS,  # not where the sources are
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A title is written over the first bytes, and we look for what comes later.
            env={"ROOM": "-" * 400, **os.environ, **variables, **environment},
        )

    @property
    def pid(self) -> int:
        """That of the master, or of the single process."""
        return self.process.pid

    def children(self) -> set[int]:
        """The worker processes there are."""
        try:
            found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except FileNotFoundError:
            found = []
        self._children |= set(map(int, found))
        return {int(pid) for pid in found}

    def says(self, words: str) -> str:
        """Wait for a line that begins with these words, or has them after others; each line is found once."""
        for at, line in enumerate(self._lines):
            if words in line:
                return self._lines.pop(at)
        assert self.process.stdout is not None
        given_up = threading.Timer(PATIENCE, self._kill)
        given_up.start()
        for line in self.process.stdout:
            if words in line:
                given_up.cancel()
                return line
            self._lines.append(line)
        given_up.cancel()
        raise AssertionError(f"it ended without saying {words!r}; it said {self._lines}")

    def put(self, kind: str, data: Any = None, **options: Any) -> str:
        """Put a job; its jid."""
        return self.client.queue("q").put(kind, data, **options).jid

    def hold(self, jid: str, kind: str = "hold", **options: Any) -> int:
        """Put a job that runs until `finish`; the process that performs it."""
        self.put(kind, str(self._folder / jid), jid=jid, **options)
        return self.started(jid)

    def started(self, jid: str) -> int:
        """Wait until a handler says that it has begun; its process."""
        pid = int(self.says(f"started {jid} ").split()[-1])
        self._seen.add(pid)
        return pid

    def finish(self, jid: str) -> None:
        """Let a handler that holds return."""
        (self._folder / jid).touch()

    def notes(self) -> list[tuple[str, int]]:
        """What its processes have noted, in order: the jid of a job that was performed, or `serves`; and who."""
        lines = map(str.split, self._notes.read_text().splitlines())
        return [(word, int(pid)) for word, pid in lines]

    def memory_mb(self) -> float:
        """The resident memory of all its processes."""
        return sum(map(resident_mb, {self.pid, *self.children()}))

    def job(self, jid: str) -> Job:
        """The job as it is now."""
        job = self.client.job(jid)
        assert job is not None
        return job

    def ends_as(self, jid: str, state: str) -> Job:
        """Wait until the job is in that state."""
        until(f"{jid} is {state}", lambda: self.job(jid).state == state)
        return self.job(jid)

    def statuses(self) -> dict[int, dict[str, Any]]:
        """What the workers there are say of themselves, by pid."""
        said = [one["status"] for one in self.client.workers() if one["status"]]
        return {status["pid"]: status for status in said}

    def pulses(self, number: int) -> None:
        """Wait until each worker there is has said so often, once a second, how it is."""
        for _ in range(number):
            self._pulse()

    def _pulse(self) -> None:
        before = {pid: status["since"] for pid, status in self.statuses().items()}
        until("a pulse", lambda: all(one["since"] > before[pid] for pid, one in self.statuses().items()))

    def host_threads(self) -> dict[str, int]:
        """How often each thread has waited for something: of the command and its processes, without native threads."""
        threads = [task for pid in {self.pid, *self.children()} for task in Path(f"/proc/{pid}/task").iterdir()]
        host = [task for task in threads if not (task / "comm").read_text().startswith("mh-")]
        return {
            task.name: int((task / "status").read_text().split("voluntary_ctxt_switches:")[1].split()[0])
            for task in host
        }

    def ready(self, processes: int) -> set[int]:
        """Wait until so many are heard of; their pids."""
        until(f"{processes} workers", lambda: len(self.statuses()) >= processes)
        return set(self.statuses())

    def status(self) -> int:
        """Wait for its end."""
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Kill whatever there is of it."""
        self._kill()
        self.process.communicate()

    def _kill(self) -> None:
        for pid in self.children() | self._children | self._seen | {self.pid}:
            if self._is_ours(pid):
                os.kill(pid, SIGKILL)

    def _is_ours(self, pid: int) -> bool:
        """Numbers of dead processes are used again."""
        try:
            return f"NAMESPACE={self.client.namespace}\0" in Path(f"/proc/{pid}/environ").read_text()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False

    def signal(self, number: Signals, pid: int | None = None) -> None:
        """Signal the master, the single process, or one of the processes."""
        os.kill(self.pid if pid is None else pid, number)

"""The title of this process in `ps` and `top`.

It is written over the arguments and the beginning of the environment, which follows them in memory; what is in force of
that is kept elsewhere.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyhands._running import Running

_MEMORY = Path("/proc/self/mem")
_MOST = 5
"""Jobs that are named."""

_LONGEST = 400
"""Bytes."""


class Title:
    """Shows what a process does; nothing where the system does not let it. A forked child has one of its own."""

    def __init__(self) -> None:
        self._start, self._length = _arguments()
        self._shown: bytes | None = None

    def show(self, text: str) -> None:
        """Show this."""
        title = text.encode()[: max(0, self._length - 1)].decode("utf-8", "ignore").encode()
        if self._length == 0 or title == self._shown:
            return
        self._shown = title
        with suppress(OSError), _MEMORY.open("r+b", buffering=0) as memory:
            memory.seek(self._start)
            memory.write(title.ljust(self._length, b"\0"))

    def show_worker(self, state: str, queues: list[str], threads: int, running: list[Running]) -> None:
        """Show a worker's role, paused or stopping, its queues, and the jobs that it runs."""
        jobs = [f"{one.job.kind} {one.job.jid}" for one in running[:_MOST]] + ["…"] * (len(running) > _MOST)
        role = f"manyhands worker {state}".rstrip()
        self.show(f"{role} [{','.join(queues)}] {len(running)}/{threads} {', '.join(jobs)}".rstrip())


def _arguments() -> tuple[int, int]:
    """Where in memory a title may be, and how long; length 0 when the arguments are not where the system says."""
    try:
        # The second word, a name in parentheses, may have spaces; these are the words 48 to 51.
        words = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end, environment, its_end = map(int, words[45:49])
        with _MEMORY.open("rb", buffering=0) as memory:
            memory.seek(start)
            found = memory.read(end - start)
        if found != Path("/proc/self/cmdline").read_bytes():
            return 0, 0
    except (OSError, ValueError, IndexError):
        return 0, 0
    if environment == end:
        for name, value in os.environb.items():
            os.environb[name] = value  # a variable that is set has a place of its own
        end = max(end, min(its_end, start + _LONGEST))
    return start, end - start

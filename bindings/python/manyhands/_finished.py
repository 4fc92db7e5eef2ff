"""Jobs that were performed, while their outcome may still be refused."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manyhands.job import Job

_MOST_JOBS = 1_000
"""An outcome is refused before so many have followed it: with so many unanswered, a worker takes no more jobs."""

_MOST_DATA = 16 * 1024 * 1024
"""Characters of raw data kept with them; a thousand jobs may have a GiB."""


class Finished:
    """The latest jobs that a worker performed, for `Worker.on_lock_lost`; of large ones the earlier lose their data."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: OrderedDict[tuple[str, str], Job] = OrderedDict()
        self._data: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._data_in_all = 0

    def keep(self, job: Job, token: str) -> None:
        """Remember a job as it is now."""
        key = job.jid, token
        with self._lock:
            self._jobs[key] = job._record()
            self._data[key] = len(job.raw_data)
            self._data_in_all += self._data[key]
            while self._data_in_all > _MOST_DATA and len(self._data) > 1:
                oldest, length = self._data.popitem(last=False)
                self._data_in_all -= length
                self._jobs[oldest] = self._jobs[oldest]._record(with_data=False)
            if len(self._jobs) > _MOST_JOBS:
                self._take(next(iter(self._jobs)))

    def take(self, jid: str, token: str) -> Job | None:
        """The job whose outcome was refused, once."""
        with self._lock:
            return self._take((jid, token))

    def _take(self, key: tuple[str, str]) -> Job | None:
        self._data_in_all -= self._data.pop(key, 0)
        return self._jobs.pop(key, None)

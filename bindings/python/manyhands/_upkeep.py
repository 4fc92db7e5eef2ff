"""What an operator does with a namespace: jobs that failed, workers, the data itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from manyhands._wire import given, in_seconds, texts
from manyhands.status import Swept, Violation


class Upkeep(ABC):
    """The part of Client for who looks after the whole."""

    def unfail(self, group: str, *, queue: str | None = None, limit: int = 25) -> int:
        """Let the jobs of a failure group that failed first wait again, with all their retries.

        group: the failure group.
        queue: where to. Default: the queue each failed in.
        limit: 1 to 100 jobs. Default 25.

        Returns how many wait again; fewer than `limit` when the group is empty now. Raises InvalidArgument.
        Releases the GIL.

        Source: core/src/engine/ops/failure_unfail.lua
        """
        arguments = {"group": group, "limit": limit, **given({"queue": queue})}
        return cast("int", self.call("failure_unfail", arguments))

    def order(self, worker: str, order: Literal["quiet", "pause", "resume", "stop"]) -> int:
        """Ask a worker to take no more jobs for good or for now, to take them again, or to end when its jobs have.

        worker: its name, or "*": all that were heard of within a minute, at most 1000.

        They learn it within a second. Returns how many will: 0 when the one named is not known, or is lost.
        Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/worker_order.lua
        """
        return cast("int", self.call("worker_order", {"worker": worker, "order": order}))

    def deregister(self, workers: Iterable[str]) -> int:
        """Drop workers from the list; the jobs they have in hand go on. One that lives is back with its next pulse.

        workers: 1 to 250 names.

        Returns how many were known. Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/worker_deregister.lua
        """
        names = texts(workers, "workers", "worker_deregister")
        return cast("int", self.call("worker_deregister", {"workers": names}))

    def sweep(self, limit: int = 100) -> Swept:
        """One step of what happens even when no worker asks: leases end, jobs become due, old things are forgotten.

        limit: 1 to 100 jobs. Default 100.

        Workers do this by themselves. Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/sweep.lua
        """
        return cast("Swept", in_seconds(self.call("sweep", {"limit": limit})))

    def check(self, *, repair: bool = False, limit: int = 200) -> list[Violation]:
        """Look at all data of the namespace, in small steps: whether everything agrees with the jobs' records.

        repair: mend what can be mended without guessing. Default False.
        limit: how much a step looks at, 1 to 250 keys or members. Default 200.

        Returns what is wrong; an empty list is good news. Takes as long as there is data; others go on meanwhile.
        Raises InvalidArgument. Releases the GIL during each step.

        Source: core/src/engine/ops/check.lua
        """
        found: list[Violation] = []
        cursor = ""
        while True:
            step = self.call("check", {"cursor": cursor, "repair": repair, "limit": limit})
            found += [_violation(one) for one in step["violations"]]
            if not (cursor := step["cursor"]):
                return found

    @abstractmethod
    def call(self, operation: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Call an operation."""


def _violation(one: dict[str, Any]) -> Violation:
    return Violation(rule=one["rule"], jid=one.get("jid"), detail=one["detail"], repaired=bool(one["repaired"]))

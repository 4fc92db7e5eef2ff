"""What a job in hand does not carry: Redis is asked when somebody wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from manyhands._wire import in_seconds

if TYPE_CHECKING:
    from manyhands.client import Client
    from manyhands.job import Failure, Progress


class Viewed:
    """The part of Job that is read from Redis, all of it at once, when it is first asked for."""

    jid: str
    _client: Client | None
    _view: dict[str, Any] | None

    @property
    def result(self) -> Any:
        """What its handler returned when it was last completed, or None. May ask Redis (see `history`)."""
        return self._details().get("result")

    @property
    def failure(self) -> Failure | None:
        """Why it failed or was run again last, or None. May ask Redis (see `history`)."""
        return cast("Failure | None", in_seconds(self._details().get("failure")))

    @property
    def due_at(self) -> float | None:
        """When a scheduled job becomes due, epoch seconds, or None. May ask Redis (see `history`)."""
        return self._instant("due_at_ms")

    @property
    def lease_until(self) -> float | None:
        """When a running job's lease ends, epoch seconds, or None. May ask Redis (see `history`)."""
        return self._instant("lease_until_ms")

    @property
    def dependencies(self) -> list[str]:
        """The jids it still waits for, at most 256. May ask Redis (see `history`)."""
        return list(self._details().get("dependencies", []))

    @property
    def dependents(self) -> list[str]:
        """The jids that wait for it, the first 256. May ask Redis (see `history`)."""
        return list(self._details().get("dependents", []))

    @property
    def progressed(self) -> Progress | None:
        """What `progress` said last, or None. May ask Redis (see `history`)."""
        return cast("Progress | None", in_seconds(self._details().get("progress")))

    @property
    def history(self) -> list[dict[str, Any]]:
        """What happened to it, oldest first, at most 100 entries: `what`, `at` (epoch seconds) and what belongs to it.

        A job in hand does not carry this: the first of result, failure, due_at, lease_until, dependencies, dependents,
        progressed and history that is asked for reads them all in one call, which releases the GIL. Empty for a job
        that exists no more.

        Source: core/src/engine/ops/job_get.lua
        """
        return [_entry(entry) for entry in self._details().get("history", [])]

    def _instant(self, name: str) -> float | None:
        at_ms: int | None = self._details().get(name)
        return None if at_ms is None else at_ms / 1000

    def _details(self) -> dict[str, Any]:
        if self._view is None:
            found = self._client and self._client.job(self.jid)
            self._view = found._view if found else {}
        return self._view or {}


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the history in seconds, but for the data of a log entry, which is the user's."""
    own = {"data": entry["data"]} if "data" in entry else {}
    return {**in_seconds({name: value for name, value in entry.items() if name != "data"}), **own}

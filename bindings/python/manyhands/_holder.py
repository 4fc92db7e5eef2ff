"""Who a job was reserved through, and so who ends it and renews its lease: a client or a worker."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

from manyhands._wire import object_text
from manyhands.errors import Error, raised

if TYPE_CHECKING:
    from manyhands import _native
    from manyhands.client import Client


class Holder(Protocol):
    """Ends a job and renews its lease."""

    def settle(self, jid: str, token: str, verb: str, fields: dict[str, Any]) -> str:
        """End the job as `verb` (complete, fail, retry, snooze, release) says; its new state."""

    def renew(self, jid: str, token: str) -> int:
        """Renew the lease; its length in milliseconds."""

    def drop(self, jid: str, token: str) -> None:
        """Forget the job, whose lease another operation has ended."""

    def lost(self, jid: str, token: str) -> str | None:
        """Why the lease is known to be lost, without asking Redis; None when nothing is known."""


class ClientHolder:
    """Holds one job that a client reserved (or looked up, with its token): each act is a call of its own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._since = time.monotonic()

    def settle(self, jid: str, token: str, verb: str, fields: dict[str, Any]) -> str:
        ran = {} if verb == "release" else {"run_ms": round((time.monotonic() - self._since) * 1000)}
        outcome: str = self._one(f"job_{verb}", {"jid": jid, "token": token, **ran, **fields})["outcome"]
        return outcome

    def renew(self, jid: str, token: str) -> int:
        lease_ms: int = self._one("job_heartbeat", {"jid": jid, "token": token})["lease_ms"]
        return lease_ms

    def drop(self, jid: str, token: str) -> None:
        pass

    def lost(self, jid: str, token: str) -> str | None:  # noqa: ARG002
        return None

    def _one(self, operation: str, item: dict[str, Any]) -> dict[str, Any]:
        (reply,) = json.loads(self._client._native.call(operation, f'{{"jobs":[{object_text(item, operation)}]}}'))
        if error := reply.get("error"):
            raise raised(error)
        return cast("dict[str, Any]", reply)


def outcome_text(verb: str, fields: dict[str, Any]) -> str:
    """An outcome as the worker runtime reads it."""
    return f'{{"{verb}":{object_text(fields, f"job_{verb}") if fields else "{}"}}}'


class WorkerHolder:
    """Holds the jobs that a worker runtime handed out; the runtime measures how long they ran."""

    def __init__(self, worker: _native.Worker) -> None:
        self._worker = worker

    def settle(self, jid: str, token: str, verb: str, fields: dict[str, Any]) -> str:
        return self._worker.finish_wait(jid, token, outcome_text(verb, fields))

    def renew(self, jid: str, token: str) -> int:
        return self._worker.heartbeat(jid, token)

    def drop(self, jid: str, token: str) -> None:
        """The runtime forgets a job when its end is told; the engine passes over a release that comes too late."""
        with suppress(Error):  # the worker has ended
            self._worker.finish(jid, token, outcome_text("release", {}))

    def lost(self, jid: str, token: str) -> str | None:
        return self._worker.lost(jid, token)

"""A limit on how many jobs run at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict, cast

from manyhands._wire import in_seconds, milliseconds
from manyhands.errors import InvalidArgument
from manyhands.page import Jids, page_of_jids

if TYPE_CHECKING:
    from manyhands.client import Client


class ThrottleCounts(TypedDict):
    """A throttle's limit (None: nothing is limited), and how many jobs hold it and wait for it.

    id: its name; None for a queue's own, which has `queue` instead. expires: seconds until the limit ends, or None.
    """

    id: str | None
    queue: str | None
    limit: int | None
    held: int
    pending: int
    expires: float | None


class Throttle:
    """A limit on how many jobs run at once: of those that name it, or of one queue.

    Get it as `client.throttle(id)` or `queue.throttle`. It limits nothing until it is set. Jobs that find it full are
    `throttled` and keep their place in line.
    """

    def __init__(self, client: Client, *, id: str | None = None, queue: str | None = None) -> None:
        self._client = client
        self._named = {"id": id} if queue is None else {"queue": queue}
        self.id = id
        self.queue = queue

    def counts(self) -> ThrottleCounts:
        """Its limit, how many jobs hold it and wait for it, and for how long it holds. Releases the GIL.

        Raises InvalidArgument for an impossible id.

        Source: core/src/engine/ops/throttle_get.lua
        """
        return cast("ThrottleCounts", in_seconds(self._client.call("throttle_get", self._named)))

    @property
    def limit(self) -> int | None:
        """How many jobs may run at once, None for any number. Asks Redis; assigning sets it, None deletes it."""
        return self.counts()["limit"]

    @limit.setter
    def limit(self, limit: int | None) -> None:
        if limit is None:
            self.delete()
        else:
            self.set(limit)

    @property
    def held(self) -> int:
        """How many running jobs hold it. Asks Redis."""
        return self.counts()["held"]

    def set(self, limit: int, *, expires: float | timedelta | None = None) -> None:
        """Limit how many jobs run at once, from the next reservation on; jobs that run go on.

        limit: 0 to 1,000,000,000; 0 lets none run.
        expires: seconds for which the limit holds, at least 0.001. Default for good.

        Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/throttle_set.lua
        """
        arguments = {**self._named, "limit": limit}
        if expires is not None:
            arguments["expires_ms"] = milliseconds(expires, "expires", "throttle_set", least=1)
        self._client.call("throttle_set", arguments)

    def delete(self) -> bool:
        """Take the limit away; the jobs that wait for it may run.

        Returns False when there was none. Releases the GIL.

        Source: core/src/engine/ops/throttle_delete.lua
        """
        return bool(self._client.call("throttle_delete", self._named))

    def holders(self, offset: int = 0, limit: int = 25) -> Jids:
        """The jobs that hold it, a page of them, who began first before others.

        offset: how many to pass over, 0 or more. Default 0.
        limit: 1 to 250. Default 25.

        Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/throttle_holders.lua
        """
        return page_of_jids(self._client, "throttle_holders", {**self._named, "offset": offset, "limit": limit})

    def pending(self, offset: int = 0, limit: int = 25) -> Jids:
        """The jobs that wait for it, a page of them, next first.

        offset, limit: as in `holders`.

        Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/throttle_pending.lua
        """
        return page_of_jids(self._client, "throttle_pending", {**self._named, "offset": offset, "limit": limit})

    def release(self, jid: str) -> bool:
        """Take this throttle off a job: it holds it no longer, and waits for it no longer.

        jid: the job's id.

        Returns False when the job did not have it. Raises JobNotFound; InvalidArgument for an impossible jid, and for a
        queue's own throttle, which the jobs in the queue cannot do without. Releases the GIL.

        Source: core/src/engine/ops/throttle_release.lua
        """
        if self.queue is not None:
            message = f"queue {self.queue}: its own throttle cannot be taken off a job; move the job to another queue"
            raise InvalidArgument(message, operation="throttle_release", jid=jid)
        return bool(self._client.call("throttle_release", {"id": self.id, "jid": jid}))

    def __repr__(self) -> str:
        return f"<manyhands.Throttle {self.id!r}>" if self.queue is None else f"<manyhands.Throttle of {self.queue!r}>"

"""What anybody may do with a job, whoever holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

from manyhands._own_limits import limits_in_milliseconds
from manyhands._wire import UNCHANGED, given, json_text, milliseconds, refuse_unknown
from manyhands.backoff import Backoff
from manyhands.errors import WrongState

if TYPE_CHECKING:
    from manyhands._holder import Holder
    from manyhands.backoff import BackoffLike
    from manyhands.client import Client
    from manyhands.job import State
    from manyhands.status import Explanation


class Managed:
    """The part of Job that needs no lease. The job in Redis changes; who holds it learns it from the engine."""

    jid: str
    queue: str
    priority: int
    retries: int
    remaining: int
    tags: list[str]
    route: list[str]
    throttles: list[str]
    headers: dict[str, str]
    run_timeout: float | None
    backoff: Backoff | None
    tracked: bool
    state: State
    stalled: bool
    token: str | None
    _client: Client | None
    _holder: Holder | None
    _raw_data: str | None
    _data: Any
    _data_changed: bool
    _reserved: bool
    _view: dict[str, Any] | None

    @property
    def in_hand(self) -> bool:
        """True while this program holds the job, as it reserved it, and has not ended it."""
        return self._reserved and self._holder is not None

    def cancel(self) -> bool:
        """Make the job disappear, in whatever state it is. Who runs it loses it; who has it in hand ends it so.

        Returns False when there was none any more. Raises HasDependents when a job waits for it. Releases the GIL.

        Source: core/src/engine/ops/job_cancel.lua
        """
        if not self._call("job_cancel", {"jids": [self.jid]}):
            return False
        self._left("cancelled")
        return True

    def requeue(
        self,
        queue: str | None = None,
        *,
        data: Any = UNCHANGED,
        delay: float | timedelta = 0,
        priority: int | None = None,
        retries: int | None = None,
        tags: Sequence[str] | None = None,
        throttles: Sequence[str] | None = None,
        route: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | timedelta | None = None,
        backoff: BackoffLike | None = None,
        dependencies: Sequence[str] | None = None,
        missing: str | None = None,
        **unknown: NoReturn,
    ) -> str:
        """Place the job anew, from whatever state: at the end of the line, with all its retries.

        Who runs it loses it; who has it in hand ends it so, and its handler has nothing more to say.

        queue: where to. Default: the queue it is in.
        data: its new payload. Default: unchanged.
        delay: seconds before it may be reserved, 0 or more. Default 0.
        priority, retries, tags, throttles, route, headers, timeout, backoff, missing: as in `Queue.put`. Default:
            unchanged.
        dependencies: up to 256 jids to wait for, in place of those it has. Default: unchanged.

        Returns waiting, scheduled or blocked. Raises InvalidArgument, JobNotFound, UnknownDependency, Cycle, TooDeep,
        before anything is written. Releases the GIL.

        Source: core/src/engine/ops/job_requeue.lua
        """
        refuse_unknown(unknown, "job_requeue")
        options: dict[str, Any] = {"queue": queue, "priority": priority, "retries": retries, "tags": tags}
        options |= {"throttles": throttles, "route": route, "headers": headers}
        options |= {"dependencies": dependencies, "missing": missing}
        fields = {**given(options), **limits_in_milliseconds(timeout, backoff, "job_requeue")}
        if delay_ms := milliseconds(delay, "delay", "job_requeue"):
            fields["delay_ms"] = delay_ms
        raw_data = None if data is UNCHANGED else json_text(data, "data", "job_requeue")
        if raw_data is not None:
            fields["data"] = data
        state = self._left(self._call("job_requeue", {"jid": self.jid, **fields}))
        self.queue, self.priority = fields.get("queue", self.queue), fields.get("priority", self.priority)
        self.remaining = self.retries = fields.get("retries", self.retries)
        self.tags = list(dict.fromkeys(fields.get("tags", self.tags)))
        self.throttles = list(dict.fromkeys(fields.get("throttles", self.throttles)))
        self.route = list(fields.get("route", self.route))
        self.headers = dict(fields.get("headers", self.headers))
        if timeout is not None:
            self.run_timeout = fields["timeout_ms"] / 1000
        if backoff is not None:
            self.backoff = Backoff.of(backoff)
        if raw_data is not None:
            self._carry(raw_data)
        return state

    def prioritize(self, priority: int) -> None:
        """Change its priority; among its new equals it keeps the order of putting.

        priority: -128 to 127, larger first.

        Raises InvalidArgument, JobNotFound, WrongState when it is completed or failed. Releases the GIL.

        Source: core/src/engine/ops/job_prioritize.lua
        """
        self._call("job_prioritize", {"jid": self.jid, "priority": priority})
        self.priority = priority

    def tag(self, *tags: str) -> list[str]:
        """Add tags.

        tags: 1 to 32 texts; the job may have 32 in all.

        Returns its tags now. Raises InvalidArgument, JobNotFound. Releases the GIL.

        Source: core/src/engine/ops/job_tag.lua
        """
        self.tags = self._call("job_tag", {"jid": self.jid, "tags": list(tags)})
        return self.tags

    def untag(self, *tags: str) -> list[str]:
        """Take tags off; those it does not have are passed over.

        tags: 1 to 32 texts.

        Returns its tags now. Raises InvalidArgument, JobNotFound. Releases the GIL.

        Source: core/src/engine/ops/job_untag.lua
        """
        self.tags = self._call("job_untag", {"jid": self.jid, "tags": list(tags)})
        return self.tags

    def track(self) -> bool:
        """From now on events tell what happens to it: see `Client.events`.

        Returns False when it was tracked before, or is no more. Releases the GIL.

        Source: core/src/engine/ops/job_track.lua
        """
        changed = bool(self._call("job_track", {"jids": [self.jid]}))
        self.tracked = self.tracked or changed
        return changed

    def untrack(self) -> bool:
        """Events no longer tell of it.

        Returns False when it was not tracked. Releases the GIL.

        Source: core/src/engine/ops/job_untrack.lua
        """
        changed = bool(self._call("job_untrack", {"jids": [self.jid]}))
        self.tracked = False
        return changed

    def depend(self, *on: str, missing: str | None = None) -> list[str]:
        """Let a job that has not begun wait for others.

        on: 1 to 256 jids.
        missing: what a jid is that does not exist: satisfied, or reject to refuse. Default satisfied.

        Returns those of `on` that were satisfied already, completed or unknown. Raises InvalidArgument, JobNotFound,
        WrongState when it runs or has ended, UnknownDependency, Cycle, TooDeep. Releases the GIL.

        Source: core/src/engine/ops/job_depend.lua
        """
        arguments = {"jid": self.jid, "on": list(on), **given({"missing": missing})}
        return cast("list[str]", self._call("job_depend", arguments))

    def undepend(self, *on: str, all: bool = False) -> str:
        """Let it wait for others no longer.

        on: 1 to 256 jids; those it does not wait for are passed over.
        all: True, instead of `on`: it waits for none. Default False.

        Returns its state now. Raises InvalidArgument, JobNotFound. Releases the GIL.

        Source: core/src/engine/ops/job_undepend.lua
        """
        given_on = {"on": list(on)} if on else {}
        return self._stands(self._call("job_undepend", {"jid": self.jid, **given_on, **({"all": True} if all else {})}))

    def timeout(self) -> str:
        """End the lease of a running job now: a retry is spent and it waits again, or fails when none is left.

        Returns waiting or failed. Who runs it loses it; who has it in hand ends it so. Raises JobNotFound, WrongState
        when it does not run.
        Releases the GIL.

        Source: core/src/engine/ops/job_timeout.lua
        """
        return self._left(self._call("job_timeout", {"jid": self.jid}))

    def log(self, message: str, data: Any = None) -> None:
        """Add an entry to its history. With the job in hand the entry is refused when the lease was lost.

        message: 1 to 1024 bytes, together with `data`.
        data: anything JSON can say. Default none.

        Raises InvalidArgument, JobNotFound, LockLost. Releases the GIL.

        Source: core/src/engine/ops/job_log.lua
        """
        arguments = {"jid": self.jid, "message": message, **given({"data": data})}
        self._call("job_log", {**arguments, "token": self.token} if self.in_hand else arguments)

    def explain(self) -> Explanation | None:
        """Why it is not running, with its place in line; None when it exists no more. Releases the GIL.

        Source: core/src/engine/ops/job_explain.lua
        """
        return self._there("job_explain").explain(self.jid)

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        answer = self._there(operation).call(operation, arguments)
        self._view = None
        return answer

    def _stands(self, state: str) -> str:
        """Notes its new state; a job in hand stays so until this program ends it, and learns then that it is lost."""
        if not self.in_hand:
            self.state = cast("State", state)
        return state

    def _left(self, state: str) -> str:
        """Notes the state into which an operation has brought it that ends any lease: nobody has it in hand now."""
        if self._holder is not None and self.token is not None:
            self._holder.drop(self.jid, self.token)
        self._holder = None
        self.state, self.stalled = cast("State", state), False
        return state

    def _carry(self, raw_data: str) -> None:
        """Notes its new payload."""
        self._raw_data, self._data, self._data_changed = raw_data, UNCHANGED, False

    def _there(self, operation: str) -> Client:
        if self._client is None:
            message = f"job {self.jid} has no server: it was built or copied"
            raise WrongState(message, operation=operation, jid=self.jid)
        return self._client

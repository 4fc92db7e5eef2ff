"""A job that is put again and again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Optional, TypedDict, TypeVar, overload

from manyhands._own_limits import limits_in_milliseconds
from manyhands._wire import (
    UNCHANGED,
    given,
    in_seconds,
    json_text,
    milliseconds,
    object_text,
    refuse_unknown,
    view_fields,
)
from manyhands.backoff import Backoff
from manyhands.errors import JobNotFound

if TYPE_CHECKING:
    from manyhands.backoff import BackoffLike
    from manyhands.client import Client

_T = TypeVar("_T")


class RecurringOptions(TypedDict, total=False):
    """The options of a recurring put but for the interval: see `Queue.put_recurring`."""

    jid: str | None
    offset: float | timedelta | None
    backlog: int | None
    priority: int | None
    retries: int | None
    tags: Sequence[str] | None
    throttles: Sequence[str] | None
    route: Sequence[str] | None
    headers: Mapping[str, str] | None
    timeout: float | timedelta | None
    backoff: BackoffLike | None


class _Field(Generic[_T]):
    """A field that is read, with all others, when the first of them is asked for."""

    def __set_name__(self, owner: type[Recurring], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, recurring: None, owner: type[Recurring]) -> _Field[_T]: ...
    @overload
    def __get__(self, recurring: Recurring, owner: type[Recurring]) -> _T: ...
    def __get__(self, recurring: Recurring | None, owner: type[Recurring]) -> _Field[_T] | _T:
        if recurring is None:
            return self
        value: _T = recurring._fields()[self._name]
        return value


class Recurring:
    """A job that is put every interval, for each one that passes, even when nobody looks.

    Comes from `Queue.put_recurring`, `Queue.recurring` or `Client.recurring`. The jobs it puts are called <jid>-1,
    <jid>-2, ... and name it as their `parent`. Its fields are a picture of the moment when the first was asked for (or
    of the last change made here), read in one call that raises JobNotFound when it is cancelled. A picture that was
    taken before is kept then.

    jid, kind, queue: its id, the name of the handler of its jobs, where they are put (text).
    raw_data: their payload as JSON text.
    interval: seconds from one to the next. next_at: when the next one is put, epoch seconds; None while paused.
    backlog: how many of those missed are put at most; 0: all. count: how many were put so far.
    paused: True while nothing is put.
    priority, retries, tags, throttles, route, headers: of its jobs, as in `Queue.put`.
    timeout (seconds), backoff (a Backoff): of its jobs, or None where that was not said.

    Source: core/src/engine/ops/recurring_get.lua
    """

    kind = _Field[str]()
    queue = _Field[str]()
    raw_data = _Field[str]()
    interval = _Field[float]()
    next_at = _Field["float | None"]()
    backlog = _Field[int]()
    count = _Field[int]()
    paused = _Field[bool]()
    priority = _Field[int]()
    retries = _Field[int]()
    tags = _Field["list[str]"]()
    throttles = _Field["list[str]"]()
    route = _Field["list[str]"]()
    headers = _Field["dict[str, str]"]()
    timeout = _Field["float | None"]()
    backoff = _Field[Optional[Backoff]]()

    def __init__(self, client: Client, jid: str | None = None, *, view: str | None = None) -> None:
        """For this package only: a program makes recurring jobs by `Queue.put_recurring`."""
        self._client = client
        self._picture = None if view is None else _picture(view)
        self.jid: str = self._fields()["jid"] if jid is None else jid

    @property
    def data(self) -> Any:
        """The payload of its jobs as Python values."""
        return json.loads(self.raw_data)

    def update(
        self,
        *,
        interval: float | timedelta | None = None,
        data: Any = UNCHANGED,
        queue: str | None = None,
        kind: str | None = None,
        backlog: int | None = None,
        priority: int | None = None,
        retries: int | None = None,
        tags: Sequence[str] | None = None,
        throttles: Sequence[str] | None = None,
        route: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | timedelta | None = None,
        backoff: BackoffLike | None = None,
        **unknown: NoReturn,
    ) -> None:
        """Change what is given, from the next job on.

        interval: seconds, at least 0.001; the next job then comes one interval from now. Default: its time stays.
        data, queue, kind, backlog, priority, retries, tags, throttles, route, headers, timeout, backoff: as in
            `Queue.put_recurring`. Default: unchanged.

        Raises InvalidArgument, JobNotFound when it is cancelled. Releases the GIL.

        Source: core/src/engine/ops/recurring_update.lua
        """
        refuse_unknown(unknown, "recurring_update")
        options: dict[str, Any] = {"queue": queue, "kind": kind, "backlog": backlog, "priority": priority}
        options |= {"retries": retries, "tags": tags, "throttles": throttles, "route": route, "headers": headers}
        fields = recurring_fields("recurring_update", options, interval=interval, data=data)
        fields |= limits_in_milliseconds(timeout, backoff, "recurring_update")
        self._call("recurring_update", fields)

    def cancel(self) -> bool:
        """Put no more of these; jobs that were put stay.

        Returns False when it was cancelled already. Releases the GIL.

        Source: core/src/engine/ops/recurring_cancel.lua
        """
        return bool(self._client.call("recurring_cancel", {"jids": [self.jid]}))

    def tag(self, *tags: str) -> list[str]:
        """Add tags to those its jobs will have.

        tags: 1 to 32 texts; 32 in all.

        Returns the tags now. Raises InvalidArgument, JobNotFound when it is cancelled. Releases the GIL.

        Source: core/src/engine/ops/recurring_tag.lua
        """
        now: list[str] = self._call("recurring_tag", {"tags": list(tags)})
        return now

    def untag(self, *tags: str) -> list[str]:
        """Take tags off those its jobs will have; those it does not have are passed over.

        tags: 1 to 32 texts.

        Returns the tags now. Raises InvalidArgument, JobNotFound when it is cancelled. Releases the GIL.

        Source: core/src/engine/ops/recurring_untag.lua
        """
        now: list[str] = self._call("recurring_untag", {"tags": list(tags)})
        return now

    def pause(self) -> bool:
        """Put nothing until it is resumed.

        Returns False when it was paused already. Raises JobNotFound when it is cancelled. Releases the GIL.

        Source: core/src/engine/ops/recurring_pause.lua
        """
        return bool(self._call("recurring_pause", {}))

    def resume(self) -> bool:
        """Go on at the first of its instants that is still to come; what was missed is not made up for.

        Returns False when it was not paused. Raises JobNotFound when it is cancelled. Releases the GIL.

        Source: core/src/engine/ops/recurring_resume.lua
        """
        return bool(self._call("recurring_resume", {}))

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        answer = self._client.call(operation, {"jid": self.jid, **arguments})
        self._picture = None
        return answer

    def _fields(self) -> dict[str, Any]:
        if self._picture is None:
            view = self._client._native.call("recurring_get", object_text({"jid": self.jid}, "recurring_get"))
            if view == "null":
                message = f"there is no recurring job {self.jid}"
                raise JobNotFound(message, operation="recurring_get", jid=self.jid)
            self._picture = _picture(view)
        return self._picture

    def __repr__(self) -> str:
        return f"<manyhands.Recurring {self.jid}>"


def recurring_fields(
    operation: str,
    options: dict[str, Any],
    *,
    interval: float | timedelta | None,
    data: Any,
    offset: float | timedelta | None = None,
) -> dict[str, Any]:
    """The options of recurring_put and recurring_update as the core reads them."""
    fields = given(options)
    if interval is not None:
        fields["interval_ms"] = milliseconds(interval, "interval", operation, least=1)
    if offset is not None:
        fields["offset_ms"] = milliseconds(offset, "offset", operation)
    if data is not UNCHANGED:
        json_text(data, "data", operation)
        fields["data"] = data
    return fields


def _picture(view: str) -> dict[str, Any]:
    fields = view_fields(view)
    data, backoff = fields.pop("data"), Backoff._of_json(fields.pop("backoff_ms"))
    picture: dict[str, Any] = in_seconds(fields)
    return {**picture, "raw_data": data, "backoff": backoff}

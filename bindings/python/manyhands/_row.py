"""The members of which a job is made, one after another: there are many jobs, and a tuple is cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from typing import TypeAlias

    # jid, kind, queue, data; priority, retries, remaining; worker, token; tags, route, throttles; headers, parent,
    # tracked; put_at; its timeout (ms) and backoff (JSON) where it has any. src/job.rs makes it so of a reserved job.
    Row: TypeAlias = tuple[
        str,
        str,
        str,
        str,
        int,
        int,
        int,
        str | None,
        str | None,
        list[str],
        list[str],
        list[str],
        dict[str, str],
        str | None,
        bool,
        float,
        tuple[int | None, str] | None,
    ]

_NAMES = (
    *("jid", "kind", "queue", "data", "priority", "retries", "remaining", "worker", "token", "tags", "route"),
    *("throttles", "headers", "parent", "tracked"),
)


def row_of(view: dict[str, Any]) -> Row:
    """The same of a job's view."""
    limits = (view["timeout_ms"], view["backoff_ms"])
    return cast("Row", (*(view[name] for name in _NAMES), view["put_at_ms"] / 1000, limits))

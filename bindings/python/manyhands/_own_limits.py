"""What a job says itself, in place of its kind or worker: how long a run may take, how long it waits after an error."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from manyhands._wire import milliseconds
from manyhands.backoff import Backoff, BackoffLike
from manyhands.errors import InvalidArgument


def limits_in_milliseconds(
    timeout: float | timedelta | None, backoff: BackoffLike | None, operation: str | None, within: str = ""
) -> dict[str, Any]:
    """Those that are given, as the core knows them. `within` says in errors which job it is."""
    limits: dict[str, Any] = {}
    if timeout is not None:
        limits["timeout_ms"] = milliseconds(timeout, f"{within}timeout", operation, least=1)
    if backoff is not None:
        try:
            limits["backoff_ms"] = Backoff.of(backoff)._in_milliseconds()
        except InvalidArgument as error:
            raise InvalidArgument(f"{within}{error.message}", operation=operation) from None
    return limits


def limits_of(timeout_ms: int | None, backoff_ms: str) -> tuple[float | None, Backoff | None]:
    """Those that a job came with."""
    return None if timeout_ms is None else timeout_ms / 1000, Backoff._of_json(backoff_ms)

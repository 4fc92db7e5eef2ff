"""What became of a run, as the core knows it."""

from __future__ import annotations

import traceback
from typing import Any

from manyhands.errors import Error

Ending = tuple[str, dict[str, Any]]
"""An outcome's verb and its fields."""

_LONGEST_NAME = 255
"""Bytes."""

DONE: Ending = ("complete", {})
"""The outcome of a job whose handler returned, and said nothing more."""

UNKNOWN_KIND: Ending = ("unknown_kind", {})
"""The outcome of a job whose kind has no handler here."""

RELEASE: Ending = ("release", {})
"""The outcome of a job that somebody wanted to end: it waits again, and no retry is spent."""


def failed(error: BaseException) -> Ending:
    """The outcome of a run that raised `error`: run again with backoff until no retry is left."""
    return "error", {"class": class_of(error), **described(error)}


def failed_by_rule(kind: str, error: BaseException, delay_ms: int | None) -> Ending:
    """The same with a wait that somebody has chosen; None: no run follows."""
    said = {"group": failure_group(kind, class_of(error)), **described(error)}
    return ("fail", said) if delay_ms is None else ("retry", {"delay_ms": delay_ms, **said})


def failure_group(kind: str, cause: str) -> str:
    """The group of jobs that fail so: a name, cut where one has to end."""
    return f"{kind}:{cause}".encode()[:_LONGEST_NAME].decode("utf-8", "ignore")


def described(error: BaseException) -> dict[str, Any]:
    """What an error says: its message and its trace."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {"message": _clean(_message(error)), "trace": _clean(trace)}


def class_of(error: BaseException) -> str:
    """What names the failure group: of our own errors the code, which is the same in every language."""
    return error.name if isinstance(error, Error) and error.code else type(error).__name__


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  the handler's own __str__ may raise anything
        return "<its __str__ raised>"


def _clean(text: str) -> str:
    """Lone surrogates, which file names may hold, are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

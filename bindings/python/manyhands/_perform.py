"""One run of a handler, and what became of it as the core reads it: an outcome's JSON text."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Callable

from manyhands._holder import outcome_text
from manyhands.errors import Error
from manyhands.outcome import Outcome

if TYPE_CHECKING:
    from manyhands.job import Job

Handler = Callable[["Job"], Any]

UNKNOWN_KIND = outcome_text("unknown_kind", {})
"""The outcome of a job whose kind has no handler here."""


def performed(handler: Handler, job: Job) -> str:
    """Run the handler; the outcome it chose by returning a result or raising Fail, Retry or Snooze.

    Any other exception, and InvalidArgument for a result that JSON cannot say, comes through.
    """
    try:
        result = handler(job)
    except Outcome as chosen:
        return outcome_text(chosen.verb, chosen.fields())
    return outcome_text("complete", job._completion(result))


def failed(error: BaseException) -> str:
    """The outcome of a run that raised `error`: run again with backoff until no retry is left."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    fields = {"class": _class(error), "message": _clean(_message(error)), "trace": _clean(trace)}
    return outcome_text("error", fields)


def _class(error: BaseException) -> str:
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

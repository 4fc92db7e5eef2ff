"""Errors: one class per code of the core, made from the core's own list (errors.pyi spells them for type checkers)."""

from __future__ import annotations

from typing import Any

from manyhands import _native


class Error(Exception):
    """Base of every error of Manyhands: what went wrong, during what, about which job, and whether to repeat it.

    code: the number that is the same in every language; 0 on the base class itself.
    name: the code's name, such as LOCK_LOST.
    message: what happened, naming the argument for InvalidArgument.
    operation: the engine's operation that failed, such as job_complete, or the worker's own call, such as worker_next.
        None where there was none: an option of Client or Worker, a URL, a handler registered too late.
    jid: the job it was about, or None.
    reason: for LockLost how it was lost: expired, cancelled, replaced, finished or unknown. Else None.
    retryable: the same call may succeed later.

    Source: core/src/error.rs
    """

    code = 0
    name = "ERROR"
    retryable = False

    def __init__(
        self, message: str = "", *, operation: str | None = None, jid: str | None = None, reason: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.jid = jid
        self.reason = reason

    def __str__(self) -> str:
        during = f" (during {self.operation})" if self.operation else ""
        return f"{self.name}: {self.message}{during}"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message,), dict(self.__dict__)


BY_CODE: dict[int, type[Error]] = {}

for _code, _name, _class_name, _retryable in _native.CODES:
    _members = {"code": _code, "name": _name, "retryable": _retryable, "__module__": __name__}
    BY_CODE[_code] = globals()[_class_name] = type(_class_name, (Error,), {**_members, "__doc__": f"{_code} {_name}."})


def build(code: int, message: str, operation: str | None, jid: str | None, reason: str | None) -> Error:
    """The error of one code, for the native module."""
    return BY_CODE[code](message, operation=operation, jid=jid, reason=reason)


def raised(error: dict[str, Any]) -> Error:
    """The error in a reply that has one per job."""
    return build(error["code"], error["message"], error["operation"], error["jid"], error["reason"])

"""The error classes, spelled for type checkers. errors.py makes them from the core's list; a test compares."""

from typing import Any, Literal

class Error(Exception):
    code: int
    name: str
    message: str
    operation: str | None
    jid: str | None
    reason: str | None
    retryable: bool
    def __init__(
        self, message: str = "", *, operation: str | None = None, jid: str | None = None, reason: str | None = None
    ) -> None: ...

class InvalidArgument(Error):
    code: Literal[100]
    name: Literal["INVALID_ARGUMENT"]
    retryable: Literal[False]

class UnknownOperation(Error):
    code: Literal[101]
    name: Literal["UNKNOWN_OPERATION"]
    retryable: Literal[False]

class UnsupportedUrl(Error):
    code: Literal[102]
    name: Literal["UNSUPPORTED_URL"]
    retryable: Literal[False]

class WrongPartition(Error):
    code: Literal[103]
    name: Literal["WRONG_PARTITION"]
    retryable: Literal[False]

class UnknownDependency(Error):
    code: Literal[104]
    name: Literal["UNKNOWN_DEPENDENCY"]
    retryable: Literal[False]

class Cycle(Error):
    code: Literal[105]
    name: Literal["CYCLE"]
    retryable: Literal[False]

class TooDeep(Error):
    code: Literal[106]
    name: Literal["TOO_DEEP"]
    retryable: Literal[False]

class Closed(Error):
    code: Literal[107]
    name: Literal["CLOSED"]
    retryable: Literal[False]

class JobNotFound(Error):
    code: Literal[200]
    name: Literal["JOB_NOT_FOUND"]
    retryable: Literal[False]

class LockLost(Error):
    code: Literal[201]
    name: Literal["LOCK_LOST"]
    retryable: Literal[False]

class WrongState(Error):
    code: Literal[202]
    name: Literal["WRONG_STATE"]
    retryable: Literal[False]

class HasDependents(Error):
    code: Literal[203]
    name: Literal["HAS_DEPENDENTS"]
    retryable: Literal[False]

class JobExists(Error):
    code: Literal[204]
    name: Literal["JOB_EXISTS"]
    retryable: Literal[False]

class Unavailable(Error):
    code: Literal[300]
    name: Literal["UNAVAILABLE"]
    retryable: Literal[True]

class Timeout(Error):
    code: Literal[301]
    name: Literal["TIMEOUT"]
    retryable: Literal[True]

class OutcomeUnknown(Error):
    code: Literal[302]
    name: Literal["OUTCOME_UNKNOWN"]
    retryable: Literal[False]

class OutOfMemory(Error):
    code: Literal[303]
    name: Literal["OUT_OF_MEMORY"]
    retryable: Literal[True]

class ReadOnly(Error):
    code: Literal[304]
    name: Literal["READ_ONLY"]
    retryable: Literal[True]

class Denied(Error):
    code: Literal[305]
    name: Literal["DENIED"]
    retryable: Literal[False]

class EngineOutdated(Error):
    code: Literal[306]
    name: Literal["ENGINE_OUTDATED"]
    retryable: Literal[False]

class SchemaMismatch(Error):
    code: Literal[307]
    name: Literal["SCHEMA_MISMATCH"]
    retryable: Literal[False]

class NoServerProgram(Error):
    code: Literal[308]
    name: Literal["NO_SERVER_PROGRAM"]
    retryable: Literal[False]

class Internal(Error):
    code: Literal[900]
    name: Literal["INTERNAL"]
    retryable: Literal[False]

BY_CODE: dict[int, type[Error]]

def build(code: int, message: str, operation: str | None, jid: str | None, reason: str | None) -> Error: ...
def raised(error: dict[str, Any]) -> Error: ...

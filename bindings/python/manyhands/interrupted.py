"""What a running handler is told by an exception."""

from __future__ import annotations

from functools import cache


class JobInterrupted(BaseException):
    """Raised in a running handler that should end: somebody else has its job now, its time is over, or it is killed.

    reason: expired, cancelled, replaced, finished or unknown for a lost lease: its outcome would be refused. timeout:
        see `Worker`; the run spends a retry. killed: by a signal or `Worker.kill_running`; when it comes out of the
        handler, the job is given back and no retry is spent.

    It arrives at the next step of Python code as soon as the worker knows, which for a lost lease is within 2 s of the
    loss; a handler that waits in C, such as time.sleep(60), hears of it when that returns. No `except Exception`
    catches it. An `async def` handler gets asyncio.CancelledError in its place, with the reason as argument.
    """

    reason = "unknown"

    def __init__(self, reason: str | None = None) -> None:
        if reason is not None:
            self.reason = reason
        super().__init__(self.reason)

    def __str__(self) -> str:
        return f"the run of the job was interrupted: {self.reason}"


@cache
def interrupted_as(reason: str) -> type[JobInterrupted]:
    """The class with a reason: what is raised in another thread is a class."""
    members = {"reason": reason, "__module__": __name__, "__doc__": JobInterrupted.__doc__}
    return type(JobInterrupted.__name__, (JobInterrupted,), members)

"""What a handler may raise to say how its job goes on, instead of returning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any

from manyhands._wire import milliseconds


class Outcome(Exception, ABC):
    """Base of Fail, Retry and Snooze: an answer of the handler, not an error of the worker."""

    verb: str

    @abstractmethod
    def fields(self) -> dict[str, Any]:
        """The outcome's fields as the core knows them."""


class Fail(Outcome):
    """Give the job up now, whatever retries are left; it is kept in its failure group.

    group: failures that share a cause, 1 to 255 bytes.
    message, trace: text for people, each cut at 16 KiB. Default empty.

    Source: core/src/engine/ops/job_fail.lua
    """

    verb = "fail"

    def __init__(self, group: str, message: str = "", trace: str = "") -> None:
        super().__init__(group, message, trace)
        self.group = group
        self.message = message
        self.trace = trace

    def fields(self) -> dict[str, Any]:
        return {"group": self.group, "message": self.message, "trace": self.trace}


class Retry(Outcome):
    """Run the job again after `delay` seconds and spend one of its retries.

    delay: seconds (float or timedelta), 0 or more, rounded to milliseconds. Default 0.
    A job without retries left fails in the group `failed-retries-<queue>`.
    Raises InvalidArgument for a delay that is negative or not a finite number.

    Source: core/src/engine/ops/job_retry.lua
    """

    verb = "retry"

    def __init__(self, delay: float | timedelta = 0) -> None:
        super().__init__(delay)
        self.delay_ms = milliseconds(delay, "delay", "job_retry")

    def fields(self) -> dict[str, Any]:
        return {"delay_ms": self.delay_ms}


class Snooze(Outcome):
    """Run the job again after `delay` seconds without spending a retry.

    delay: seconds (float or timedelta), 0 or more, rounded to milliseconds.
    Raises InvalidArgument for a delay that is negative or not a finite number.

    Source: core/src/engine/ops/job_snooze.lua
    """

    verb = "snooze"

    def __init__(self, delay: float | timedelta) -> None:
        super().__init__(delay)
        self.delay_ms = milliseconds(delay, "delay", "job_snooze")

    def fields(self) -> dict[str, Any]:
        return {"delay_ms": self.delay_ms}

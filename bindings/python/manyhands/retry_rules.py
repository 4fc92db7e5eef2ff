"""When a job runs again after an error, by the error's class."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Union

from manyhands._wire import milliseconds
from manyhands.errors import InvalidArgument

if TYPE_CHECKING:
    from manyhands.job import Job
    from manyhands.middleware import Next

_log = logging.getLogger("manyhands")

_MOST_STEPS = 1_000
"""Beyond so many errors an exponential wait no longer grows: its power would be too large a number."""


class Backoff:
    """How long a job waits before it runs again after an error, by the number of its errors.

    Wherever one is expected, seconds (a number or timedelta) stand for `fixed`, a list of them for `list`, and a
    function of the number of errors (1 or more) for what it returns, in seconds.
    """

    def __init__(self, delay: Callable[[int], float], jitter: float = 0.0) -> None:
        """Wait `delay(errors)` seconds, longer or shorter at random by a share of up to `jitter`, 0 to 1.

        What `delay` raises is logged, and the job waits as without a backoff.
        """
        if not callable(delay):
            raise InvalidArgument(f"delay must be a function, not {type(delay).__name__}")
        if isinstance(jitter, bool) or not isinstance(jitter, (int, float)) or not 0 <= jitter <= 1:
            raise InvalidArgument(f"jitter must be 0 to 1, not {jitter!r}")
        self._delay = delay
        self._jitter = jitter

    @classmethod
    def exponential(
        cls,
        first: float | timedelta = 1.0,
        *,
        factor: float = 2.0,
        most: float | timedelta = 3600.0,
        jitter: float = 0.1,
    ) -> Backoff:
        """Growing by `factor` (1 or more) from `first` seconds after the first error to at most `most`."""
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 1 <= factor <= 1000:
            raise InvalidArgument(f"factor must be 1 to 1000, not {factor!r}")
        from_ms, most_ms = milliseconds(first, "first", None), milliseconds(most, "most", None)

        def delay(errors: int) -> float:
            wait: float = from_ms
            for _ in range(min(errors - 1, _MOST_STEPS)):
                if wait >= most_ms:
                    break
                wait *= factor
            return min(wait, most_ms) / 1000

        return cls(delay, jitter)

    @classmethod
    def fixed(cls, seconds: float | timedelta, *, jitter: float = 0.0) -> Backoff:
        """The same after each error."""
        return cls.list([seconds], jitter=jitter)

    @classmethod
    def list(cls, seconds: Sequence[float | timedelta], *, jitter: float = 0.0) -> Backoff:
        """One after the other; the last for all that follow."""
        spans = [milliseconds(span, f"backoff[{at}]", None) / 1000 for at, span in enumerate(seconds)]
        if not spans:
            raise InvalidArgument("backoff is an empty list")
        return cls(lambda errors: spans[min(errors, len(spans)) - 1], jitter)

    @classmethod
    def of(cls, value: BackoffLike) -> Backoff:
        """What stands for one, as a Backoff; InvalidArgument for what does not."""
        if isinstance(value, Backoff):
            return value
        if isinstance(value, (int, float, timedelta)):
            return cls.fixed(value)
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            return cls.list(value)
        if callable(value):
            return cls(value)
        raise InvalidArgument(f"backoff must be seconds, a list of them or a Backoff, not {type(value).__name__}")

    def delay(self, errors: int) -> float:
        """Seconds to wait after so many errors, 1 or more."""
        return self._delay(errors) * (1 + self._jitter * random.uniform(-1, 1))

    def _after_ms(self, job: Job) -> int | None:
        """Milliseconds to wait after an error of this job; None when the function of the program does not say."""
        try:
            return milliseconds(self.delay(job.retries - job.remaining + 1), "backoff", None)
        except Exception:  # noqa: BLE001  the function is the user's
            _log.exception("job %s (%s): its backoff raised; it waits as without one", job.jid, job.kind)
            return None


BackoffLike = Union[Backoff, float, timedelta, Sequence[Union[float, timedelta]], Callable[[int], float]]


class RetryRules:
    """Middleware that says by the class of an exception when its job runs again, or that it does not.

        worker.use(RetryRules(
            retry_on={RateLimited: 30, OSError: [1, 10, 60], Exception: Backoff.exponential(2, most=600)},
            discard_on=[NoSuchUser],
        ))

    The exception goes on outward as any other, to other middleware, the log and the hook `failure`; only what becomes
    of the job is decided here. After one that no rule names it runs again with growing delays, as without rules.
    """

    def __init__(
        self,
        *,
        retry_on: Mapping[type[Exception], BackoffLike] | None = None,
        discard_on: Iterable[type[Exception]] = (),
    ) -> None:
        """Make the middleware.

        retry_on: how long to wait before the next run, by class; the first that the exception is of counts. It spends a
            retry, and without any left the job fails. Default none.
        discard_on: exceptions after which the job fails at once, whatever retries are left. These come first.

        Raises InvalidArgument for what is no class of exceptions, and for a bad backoff.
        """
        retry_on = {} if retry_on is None else retry_on
        if not isinstance(retry_on, Mapping):
            raise InvalidArgument(f"retry_on must be a mapping of classes, not {type(retry_on).__name__}")
        if not isinstance(discard_on, Iterable):
            raise InvalidArgument(f"discard_on must be a list of classes, not {discard_on!r}")
        self._discards = tuple(discard_on)
        self._retries = {error: Backoff.of(backoff) for error, backoff in retry_on.items()}
        for error in (*self._discards, *self._retries):
            if not (isinstance(error, type) and issubclass(error, Exception)):
                raise InvalidArgument(f"{error!r} is no class of exceptions")

    def __call__(self, job: Job, next: Next[Any]) -> Any:
        """Run what is further in."""
        try:
            return next()
        except self._discards as error:
            job._rule = error, None
            raise
        except tuple(self._retries) as error:
            for kind, backoff in self._retries.items():
                if isinstance(error, kind):
                    delay_ms = backoff._after_ms(job)
                    job._rule = None if delay_ms is None else (error, delay_ms)
                    break
            raise

"""When a job runs again after an error, by the error's class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from manyhands.backoff import Backoff, BackoffLike
from manyhands.errors import InvalidArgument

if TYPE_CHECKING:
    from manyhands.job import Job
    from manyhands.middleware import Next


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

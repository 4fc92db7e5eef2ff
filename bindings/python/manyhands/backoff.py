"""How long a job waits after an error, by the number of its errors."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Union

from manyhands._wire import json_text, milliseconds
from manyhands.errors import InvalidArgument

if TYPE_CHECKING:
    from manyhands.job import Job

_log = logging.getLogger("manyhands")

_MOST_STEPS = 1_000
"""Beyond so many errors an exponential wait no longer grows: its power would be too large a number."""

_MOST_WAITS = 64
"""How many a list has at most that goes with a job."""


@dataclass(frozen=True)
class _Growing:
    """The wait of `Backoff.exponential`."""

    first_ms: int
    factor: float
    most_ms: int

    def __call__(self, errors: int) -> float:
        wait: float = self.first_ms
        for _ in range(min(errors - 1, _MOST_STEPS)):
            if wait >= self.most_ms:
                break
            wait *= self.factor
        return min(wait, self.most_ms) / 1000


@dataclass(frozen=True)
class _Listed:
    """The waits of `Backoff.list`."""

    waits_ms: tuple[int, ...]

    def __call__(self, errors: int) -> float:
        return self.waits_ms[min(errors, len(self.waits_ms)) - 1] / 1000


class Backoff:
    """How long a job waits before it runs again after an error, by the number of its errors.

    Wherever one is expected, seconds (a number or timedelta) stand for `fixed`, a list of them for `list`, and a
    function of the number of errors (1 or more) for what it returns, in seconds. A put takes no function: that cannot
    go with the job. Those of the same numbers are equal.
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
        """Growing by `factor` (1 to 1000) from `first` seconds after the first error to at most `most`."""
        if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 1 <= factor <= 1000:
            raise InvalidArgument(f"factor must be 1 to 1000, not {factor!r}")
        first_ms, most_ms = milliseconds(first, "first", None), milliseconds(most, "most", None)
        return cls(_Growing(first_ms, factor, most_ms), jitter)

    @classmethod
    def fixed(cls, seconds: float | timedelta, *, jitter: float = 0.0) -> Backoff:
        """The same after each error."""
        return cls(_Listed((milliseconds(seconds, "backoff", None),)), jitter)

    @classmethod
    def list(cls, seconds: Sequence[float | timedelta], *, jitter: float = 0.0) -> Backoff:
        """One after the other; the last for all that follow. Of those that a put says there are at most 64."""
        waits = tuple(milliseconds(span, f"backoff[{at}]", None) for at, span in enumerate(seconds))
        if not waits:
            raise InvalidArgument("backoff is an empty list")
        return cls(_Listed(waits), jitter)

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

    @classmethod
    def _of_json(cls, text: str) -> Backoff | None:
        """What a job carries, in milliseconds; None when it carries none."""
        said = json.loads(text)
        if said is None:
            return None
        if not isinstance(said, dict):
            said = {"list": said if isinstance(said, Sequence) else [said]}
        numbers = {name: said[name] for name in ("factor", "jitter") if name in said}
        if "list" in said:
            return cls.list([wait_ms / 1000 for wait_ms in said["list"]], **numbers)
        return cls.exponential(**{name: said[name] / 1000 for name in ("first", "most") if name in said}, **numbers)

    def to_json(self) -> str:
        """As the jobs of every language carry it (`backoff_ms`), in milliseconds.

        Raises InvalidArgument for one that no job can carry: a function, or a list of more than 64.
        """
        return json_text(self._in_milliseconds(), "backoff", None)

    def _in_milliseconds(self) -> Any:
        """The same before it is text."""
        waits = self._delay
        if isinstance(waits, _Growing):
            return {"first": waits.first_ms, "factor": waits.factor, "most": waits.most_ms, "jitter": self._jitter}
        if not isinstance(waits, _Listed):
            said = "backoff is a function, which cannot go with a job: only its kind or a worker may have one"
            raise InvalidArgument(said)
        listed = [*waits.waits_ms]
        if len(listed) > _MOST_WAITS:
            raise InvalidArgument(f"backoff has {len(listed)} entries, at most {_MOST_WAITS} are allowed")
        if self._jitter:
            return {"list": listed, "jitter": self._jitter}
        return listed if len(listed) > 1 else listed[0]

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Backoff):
            return NotImplemented
        return (self._delay, self._jitter) == (other._delay, other._jitter)

    def __hash__(self) -> int:
        return hash((self._delay, self._jitter))

    def __repr__(self) -> str:
        waits = self._delay
        if isinstance(waits, _Growing):
            first, most = waits.first_ms / 1000, waits.most_ms / 1000
            return f"Backoff.exponential({first}, factor={waits.factor}, most={most}, jitter={self._jitter})"
        if isinstance(waits, _Listed):
            return f"Backoff.list({[wait_ms / 1000 for wait_ms in waits.waits_ms]}, jitter={self._jitter})"
        return f"Backoff({waits!r}, jitter={self._jitter})"


BackoffLike = Union[Backoff, float, timedelta, Sequence[Union[float, timedelta]], Callable[[int], float]]

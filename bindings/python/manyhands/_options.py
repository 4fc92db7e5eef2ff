"""What a worker was asked for: by its program, and over the program's head by who runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from manyhands._chosen import Choose, Chosen
from manyhands._wire import given, milliseconds, object_text, texts
from manyhands.errors import InvalidArgument

_CALLBACK = "callback"

_INTERVAL_MS = 10, 86_400_000
"""The shortest and the longest."""


class Options:
    """The arguments of `Worker`, which tells what they mean, as the core knows them."""

    def __init__(
        self,
        queues: Iterable[str],
        strategy: str | Choose | None,
        weights: Mapping[str, int] | None,
        *,
        shutdown_timeout: float | timedelta,
        interval: float | timedelta,
        timeout: float | timedelta | None,
        kill_timeout: float | timedelta,
        statsd: Mapping[str, Any] | None,
        **others: Any,
    ) -> None:
        """others: what the core is given as it is."""
        self.chosen = Chosen(strategy) if callable(strategy) else None
        least, most = _INTERVAL_MS
        options = {
            "queues": texts(queues, "queues", None),
            "strategy": _CALLBACK if callable(strategy) else strategy,
            "weights": _members(weights, "weights"),
            "statsd": _members(statsd, "statsd"),
            "shutdown_timeout_ms": milliseconds(shutdown_timeout, "shutdown_timeout", None),
            "interval_ms": milliseconds(interval, "interval", None, least=least, most=most),
            "timeout_ms": None if timeout is None else milliseconds(timeout, "timeout", None, least=1),
            "kill_timeout_ms": milliseconds(kill_timeout, "kill_timeout", None),
            **others,
        }
        self._options = given(options)

    def override(self, settings: Mapping[str, Any]) -> None:
        """These win over what the program says."""
        self._options |= settings
        if self._options.get("strategy") != _CALLBACK:
            self.chosen = None
        if self._options.get("strategy") != "weighted":
            self._options.pop("weights", None)

    def native(self, **duties: Any) -> str:
        """All of them and `duties`, as the core reads them."""
        if self._options.get("strategy") == _CALLBACK and self.chosen is None:
            raise InvalidArgument("strategy callback is a function of the program; it gives none")
        return object_text({**self._options, **duties, "language": "python"}, None)

    @property
    def queues(self) -> list[str]:
        """As they were given."""
        queues: list[str] = self._options["queues"]
        return queues

    @property
    def threads(self) -> int:
        """Handlers at once."""
        threads: int = self._options.get("threads", 1)
        return threads

    @property
    def shutdown_timeout(self) -> float:
        """Seconds."""
        milliseconds: int = self._options["shutdown_timeout_ms"]
        return milliseconds / 1000

    @property
    def kill_timeout(self) -> float:
        """Seconds."""
        milliseconds: int = self._options["kill_timeout_ms"]
        return milliseconds / 1000


def _members(value: Mapping[str, Any] | None, argument: str) -> dict[str, Any] | None:
    if not isinstance(value, (Mapping, type(None))):
        raise InvalidArgument(f"{argument} must be a mapping, not {type(value).__name__}")
    return None if value is None else dict(value)

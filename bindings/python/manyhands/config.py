"""Settings of a namespace, kept in Redis and shared by every client and worker."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict, cast

if TYPE_CHECKING:
    from manyhands.client import Client


class Settings(TypedDict):
    """All settings by name, spans in seconds: those in force, the defaults, what queues (by name) have of their own."""

    values: dict[str, Any]
    defaults: dict[str, Any]
    queues: dict[str, dict[str, Any]]


class Config:
    """The settings of a client's namespace. Get it as `client.config`.

    Names, units and defaults: heartbeat (seconds, 60), grace-period (seconds, 10), jobs-history (seconds, 7 days),
    jobs-history-count (jobs, 50000), stats-history (seconds, 30 days), max-worker-age (seconds, a day; workers silent
    for longer are forgotten), max-data (bytes, 1 MiB), events ('tracked' jobs, or 'all') and, for tests, test-clock
    (milliseconds since 1970, or 'off'). heartbeat and grace-period can also be set per queue.

    Source: core/src/engine/ops/config_get.lua, core/src/engine/ops/config_set.lua
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, name: str, *, queue: str | None = None) -> Any:
        """Read a setting: the one in force, or its default.

        name: a setting's name.
        queue: ask for this queue's own value (falls back to the namespace's). Default: the namespace's.

        Returns seconds for spans, a number or text for the others. Raises InvalidArgument for an unknown name.
        Releases the GIL.

        Source: core/src/engine/ops/config_get.lua
        """
        return self._client.call("config_get", {"name": name, "unit": "s", **_of_queue(queue)})

    def set(self, name: str, value: float | timedelta | str | None, *, queue: str | None = None) -> None:
        """Change a setting for everybody in the namespace, from the next call on.

        name: a setting's name.
        value: spans in seconds (number or timedelta); None goes back to the default.
        queue: set it for this queue only; heartbeat and grace-period. Default: the whole namespace.

        Raises InvalidArgument for an unknown name or a value out of range. Releases the GIL.

        Source: core/src/engine/ops/config_set.lua
        """
        if isinstance(value, timedelta):
            value = value.total_seconds()
        self._client.call("config_set", {"name": name, "value": value, "unit": "s", **_of_queue(queue)})

    def unset(self, name: str, *, queue: str | None = None) -> None:
        """Put a setting's default back.

        name: a setting's name.
        queue: for this queue only; then what holds for all queues holds again. Default: the whole namespace.

        Raises InvalidArgument for an unknown name. Releases the GIL.

        Source: core/src/engine/ops/config_unset.lua
        """
        self._client.call("config_unset", {"name": name, **_of_queue(queue)})

    def all(self) -> Settings:
        """Every setting. Releases the GIL.

        Source: core/src/engine/ops/config_all.lua
        """
        return cast("Settings", self._client.call("config_all", {"unit": "s"}))


def _of_queue(queue: str | None) -> dict[str, str]:
    return {} if queue is None else {"queue": queue}

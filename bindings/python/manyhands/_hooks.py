"""Functions that were registered under names, called in the order of their registration."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from manyhands.errors import InvalidArgument
from manyhands.middleware import is_async

_log = logging.getLogger("manyhands")


class Hooks:
    """The hooks of a worker or a client: they observe, and what they raise is logged."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self.heard: dict[str, tuple[Callable[..., object], ...]] = {}
        """The hooks of each name that has any: who tells very often looks here before."""

    def check(self, name: str) -> None:
        """InvalidArgument for a name there is not, which `@worker.on` without a name has given too."""
        if name not in self._names:
            raise InvalidArgument(f"hook {name!r} is unknown; there are {', '.join(self._names)}")

    def add(self, name: str, hook: Callable[..., object]) -> None:
        """Register one under a checked name; InvalidArgument for what cannot be called, or must be awaited."""
        if not callable(hook):
            raise InvalidArgument(f"hook {name} must be callable, not {type(hook).__name__}")
        if is_async(hook):
            raise InvalidArgument(f"hook {name} is async def: hooks are called, not awaited")
        self.heard[name] = (*self.heard.get(name, ()), hook)  # a new one: a thread may be walking through the old

    def tell(self, name: str, about: Any, *more: Any) -> None:
        """Call them all; `about` is first what they are told of."""
        for hook in self.heard.get(name, ()):
            try:
                hook(about, *more)
            except Exception:  # noqa: BLE001  the hook is the user's
                jid = getattr(about, "jid", None)
                _log.exception("a %s hook raised%s", name, f" for job {jid}" if jid else "")

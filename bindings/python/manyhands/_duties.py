"""What a worker was told to do: its handlers, the middleware around them, its hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from manyhands._hooks import Hooks
from manyhands.errors import InvalidArgument
from manyhands.middleware import Middleware, chained

if TYPE_CHECKING:
    from manyhands.job import Job

Handler = Callable[["Job"], Any]

_HOOKS = ("before_perform", "after_perform", "failure", "lock_lost", "start", "stop")


class Duties:
    """Filled before a worker starts, and read by its threads from then on."""

    def __init__(self) -> None:
        self.hooks = Hooks(_HOOKS)
        self.timeouts: dict[str, int] = {}
        self._handlers: dict[str, Handler] = {}
        self._middleware: tuple[Middleware, ...] = ()
        self._runs: dict[str, Handler] = {}

    @property
    def kinds(self) -> list[str]:
        """Those that have a handler."""
        return list(self._handlers)

    def perform(self, kind: str, handler: Handler, timeout_ms: int | None) -> None:
        """Add or replace the handler of a kind, and how long it may run."""
        if not callable(handler):
            raise InvalidArgument(f"the handler of {kind} must be callable, not {type(handler).__name__}")
        self._arrange({**self._handlers, kind: handler}, self._middleware)
        self.timeouts.pop(kind, None)
        if timeout_ms is not None:
            self.timeouts[kind] = timeout_ms

    def use(self, middleware: Middleware) -> None:
        """Put it around every handler, inside of the middleware that is there."""
        if not callable(middleware):
            raise InvalidArgument(f"middleware must be callable, not {type(middleware).__name__}")
        self._arrange(self._handlers, (*self._middleware, middleware))

    def run_of(self, kind: str) -> Handler | None:
        """The handler of a kind with all that is around it."""
        return self._runs.get(kind)

    def copy(self) -> Duties:
        """The same, to be changed apart."""
        duties = Duties()
        duties.hooks, duties.timeouts = self.hooks, dict(self.timeouts)
        duties._arrange(self._handlers, self._middleware)
        return duties

    def _arrange(self, handlers: dict[str, Handler], middleware: tuple[Middleware, ...]) -> None:
        runs = {kind: chained(middleware, handler) for kind, handler in handlers.items()}
        self._handlers, self._middleware, self._runs = handlers, middleware, runs

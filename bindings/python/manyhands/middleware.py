"""Code around each job and around each put: what `Worker.use` and `Client.use` take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from manyhands.errors import InvalidArgument, WrongState

if TYPE_CHECKING:
    from manyhands.job import Job
    from manyhands.put import Placed, Put

_About = TypeVar("_About")
_Answer = TypeVar("_Answer")


class Next(Generic[_Answer]):
    """The rest of a chain: the middleware further in and, in the middle, the handler or the put itself.

    A middleware calls it once, without arguments. It gives what they give and raises what they raise.
    """

    __slots__ = ("_about", "_called", "_inner")

    def __init__(self, inner: Callable[[Any], _Answer], about: Any) -> None:
        self._inner = inner
        self._about = about
        self._called = False

    def __call__(self) -> _Answer:
        if self._called:
            jid = getattr(self._about, "jid", None)
            raise WrongState("next was called a second time: middleware calls it once", jid=jid)
        self._called = True
        return self._inner(self._about)


Middleware = Callable[["Job", "Next[Any]"], Any]
"""Around a job: gets the Job and what is further in, returns the job's result."""

PutMiddleware = Callable[["list[Put]", "Next[list[Placed]]"], "list[Placed]"]
"""Around a put: gets what is put and what is further in, returns what became of each."""


def check_middleware(middleware: Any) -> None:
    """InvalidArgument for what is none."""
    if not callable(middleware):
        raise InvalidArgument(f"middleware must be callable, not {type(middleware).__name__}")
    if isinstance(middleware, type):
        raise InvalidArgument(f"middleware {middleware.__name__} is a class: give an object of it")


def is_async(function: Any) -> bool:
    """Whether calling it gives what must be awaited."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def name_of(function: Any) -> str:
    """What people call it."""
    return getattr(function, "__qualname__", type(function).__name__)


def chained(
    middleware: Sequence[Callable[[_About, Next[_Answer]], _Answer]], innermost: Callable[[_About], _Answer]
) -> Callable[[_About], _Answer]:
    """The innermost with all middleware around it, the first outermost."""
    inner = innermost
    for one in reversed(middleware):
        inner = partial(_around, one, inner)
    return inner


def _around(
    middleware: Callable[[_About, Next[_Answer]], _Answer], inner: Callable[[_About], _Answer], about: _About
) -> _Answer:
    return middleware(about, Next(inner, about))

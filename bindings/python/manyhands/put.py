"""Jobs on their way into Redis, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from manyhands._hooks import Hooks
from manyhands._own_limits import limits_in_milliseconds
from manyhands._wire import json_text, milliseconds, object_text
from manyhands.errors import InvalidArgument, WrongState
from manyhands.middleware import PutMiddleware, chained, check_middleware, is_async, name_of

if TYPE_CHECKING:
    from manyhands.backoff import BackoffLike
    from manyhands.client import Client

OPERATION = "queue_put"

_HOOKS = ("before_put", "after_put")

_NO_OPTIONS = {
    "queue": "it goes to the queue it is called on",
    "delay_ms": "say delay, in seconds",
    "timeout_ms": "say timeout, in seconds",
    "backoff_ms": "say backoff, in seconds",
}
"""What the core would take, and what is said instead."""

_placed: Callable[..., Placed] = tuple.__new__
"""Makes a Placed of a tuple: its own `__new__` is a Python function, which thousands of jobs feel."""


class Placed(NamedTuple):
    """What became of one put.

    jid: the job's id, the caller's own or a generated one.
    outcome: put, replaced (an older job of that jid gave way), kept (the older one stays), or, from put_many only,
        exists (refused by on_conflict='reject').
    satisfied: those of its dependencies that it need not wait for: completed, or unknown.
    """

    jid: str
    outcome: Literal["put", "replaced", "kept", "exists"]
    satisfied: tuple[str, ...] = ()


class PutOptions(TypedDict, total=False):
    """The options of a put: see `Queue.put`."""

    jid: str | None
    priority: int | None
    delay: float | timedelta | None
    retries: int | None
    tags: Sequence[str] | None
    route: Sequence[str] | None
    throttles: Sequence[str] | None
    headers: Mapping[str, str] | None
    timeout: float | timedelta | None
    backoff: BackoffLike | None
    dependencies: Sequence[str] | None
    missing: str | None
    on_conflict: str | None


@dataclass
class Put:
    """One job that is about to be put, for the middleware of a client, which may change it.

    queue, kind, data: where it goes, the name of its handler, its payload.
    options: the other arguments of `Queue.put` that were given, by name.
    """

    queue: str
    kind: str
    data: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, queue: str, job: Mapping[str, Any], within: str = "") -> Put:
        """What a mapping with the arguments of `Queue.put` asks for. `within` says in errors which job it is."""
        options = dict(job)
        # One by one, here and below: through a set, making a put takes a quarter longer.
        if "queue" in options or "delay_ms" in options or "timeout_ms" in options or "backoff_ms" in options:
            name = next(name for name in _NO_OPTIONS if name in options)
            message = f"{within}{name} is not an option of a put: {_NO_OPTIONS[name]}"
            raise InvalidArgument(message, operation=OPERATION)
        if "kind" not in options:
            raise InvalidArgument(f"{within}kind is missing", operation=OPERATION)
        return cls(queue, options.pop("kind"), options.pop("data", None), options)

    @classmethod
    def all_of(cls, queue: str, jobs: Sequence[Mapping[str, Any]]) -> list[Put]:
        """The same of several, of which an error names the one at fault."""
        try:
            return [cls.of(queue, job) for job in jobs]
        except InvalidArgument:
            if len(jobs) == 1:
                raise
        return [cls.of(queue, job, f"jobs[{at}].") for at, job in enumerate(jobs)]

    def text(self, within: str = "") -> str:
        """The job as the core reads it."""
        return object_text(self.item(within), OPERATION, within)

    def item(self, within: str = "") -> dict[str, Any]:
        """The same as a dictionary, of which JSON may not be able to say everything."""
        return {"queue": self.queue, "kind": self.kind, "data": self.data, **in_milliseconds(self.options, within)}


def in_milliseconds(options: Mapping[str, Any], within: str = "") -> Mapping[str, Any]:
    """The options of a put as the core knows them."""
    if "delay" not in options and "timeout" not in options and "backoff" not in options:
        return options
    options = dict(options)
    if (delay := options.pop("delay", None)) is not None:
        options["delay_ms"] = milliseconds(delay, f"{within}delay", OPERATION)
    timeout, backoff = options.pop("timeout", None), options.pop("backoff", None)
    return {**options, **limits_in_milliseconds(timeout, backoff, OPERATION, within)}


class Putting:
    """How a client puts: middleware and hooks around, and in the middle who sends."""

    def __init__(self) -> None:
        self.hooks = Hooks(_HOOKS)
        self.send: Callable[[Client, list[Put], bool], list[Placed]] = send
        self._middleware: tuple[PutMiddleware, ...] = ()

    def use(self, middleware: PutMiddleware) -> None:
        """Put it around every put from now on, inside of those that are there."""
        check_middleware(middleware)
        if is_async(middleware):
            said = f"middleware {name_of(middleware)} is async def: around a put it is called, not awaited"
            raise InvalidArgument(said)
        self._middleware = (*self._middleware, middleware)

    def put(self, client: Client, puts: list[Put], *, alone: bool) -> list[Placed]:
        """Put jobs. `alone`: the one job's errors are raised; of several, `Placed.outcome` says what happened."""
        self.hooks.tell("before_put", puts)
        of = len(puts)
        send = self.send
        placed = chained(self._middleware, lambda puts: send(client, puts, alone))(puts)
        if self._middleware and not _is_answer(placed, of):
            message = f"middleware must return what became of each of the {of} jobs, a list of Placed as next gives it"
            raise WrongState(message, operation=OPERATION)
        self.hooks.tell("after_put", puts, placed)
        return placed


def send(client: Client, puts: list[Put], alone: bool) -> list[Placed]:
    """Put jobs into Redis."""
    return [_placed(Placed, row) for row in client._native.put(_text(puts), alone)]


def _text(puts: list[Put]) -> str:
    """The list of the jobs as the core reads it."""
    try:
        items = [
            put.item() if put.options else {"queue": put.queue, "kind": put.kind, "data": put.data} for put in puts
        ]
        return json_text(items, "jobs", OPERATION)
    except InvalidArgument:  # which one and what of it: only whoever looks at each can say
        texts = [put.text(f"jobs[{at}]." if len(puts) > 1 else "") for at, put in enumerate(puts)]
        return f"[{','.join(texts)}]"


def _is_answer(placed: object, of: int) -> bool:
    return isinstance(placed, list) and len(placed) == of and all(isinstance(one, Placed) for one in placed)

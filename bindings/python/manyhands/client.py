"""A connection to one namespace, with all operations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, NoReturn, TypeVar, cast

from manyhands import _native
from manyhands._listings import Listings
from manyhands._upkeep import Upkeep
from manyhands._wire import given, in_seconds, milliseconds, object_text, refuse_unknown, text, texts
from manyhands.config import Config
from manyhands.errors import InvalidArgument
from manyhands.events import Events
from manyhands.job import Job
from manyhands.middleware import PutMiddleware
from manyhands.patterns import Patterns
from manyhands.put import Putting
from manyhands.queue import Queue
from manyhands.recurring import Recurring
from manyhands.status import Explanation
from manyhands.throttle import Throttle

_AnyPutMiddleware = TypeVar("_AnyPutMiddleware", bound=PutMiddleware)
_AnyHook = TypeVar("_AnyHook", bound=Callable[..., object])


class Client(Listings, Upkeep):
    """A connection to the jobs of one namespace in one Redis.

    Threads share it, forked children may go on using it, and it pickles (by URL and options, without middleware and
    hooks).
    Connects when first used, not when made. Works as a context manager that closes at the end.

        with Client() as client:
            client.queue("mail").put("welcome", {"to": "ann@example.com"})

    Source: core/src/client/
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str | None = None,
        timeout: float | timedelta | None = None,
        engine_upgrade: str | None = None,
        **unknown: NoReturn,
    ) -> None:
        """Describe the connection; only checks its arguments.

        url: redis://, rediss:// (TLS, with ?ca=FILE&cert=FILE&key=FILE as needed; docs/urls.md), unix:// or
            embedded:DIR (a private server kept in DIR). Default: MANYHANDS_URL, else REDIS_URL, else
            embedded:.manyhands.
        namespace: 1 to 64 of A-Z a-z 0-9 _ -; jobs of other namespaces are out of sight. Default mh.
        timeout: seconds during which a call is repeated while Redis is away, 0.001 to 600. Default 60.
        engine_upgrade: auto (load and replace older engines) or manual. Default: auto for embedded: and an empty
            server, else manual.

        Raises InvalidArgument for a bad option or a file of the URL that cannot be used, UnsupportedUrl for another
        kind of URL.

        Source: core/src/options.rs, core/src/url.rs
        """
        refuse_unknown(unknown, None)
        if url is not None:
            text(url, "url", None)
        options: dict[str, Any] = {"namespace": namespace, "engine_upgrade": engine_upgrade}
        if timeout is not None:
            options["timeout_ms"] = milliseconds(timeout, "timeout", None, least=1, most=_native.MAX_TIMEOUT_MS)
        self._options = object_text({name: value for name, value in options.items() if value is not None}, None)
        self._native = _native.Client(url, self._options)
        self._putting = Putting()

    @property
    def url(self) -> str:
        """Where the jobs are: the given URL or the default that was found."""
        return self._native.url

    @property
    def namespace(self) -> str:
        """The namespace whose jobs this client sees."""
        return self._native.namespace

    @property
    def config(self) -> Config:
        """The namespace's settings."""
        return Config(self)

    @property
    def patterns(self) -> Patterns:
        """The namespace's saved lists of queue patterns."""
        return Patterns(self)

    def use(self, middleware: _AnyPutMiddleware) -> _AnyPutMiddleware:
        """Put middleware around every `Queue.put` and `put_many` from now on; a decorator.

        middleware: called as middleware(puts, next). puts: the jobs of this call, a list of Put, which may be changed.
            next(): the middleware registered later and in the end the put itself; gives a Placed per job, which the
            middleware returns, or another one per job. Exceptions go outward. The first registered is the outermost.

        Not called: nothing is put. Recurring jobs are put by Redis and pass no middleware.

            @client.use
            def traced(puts, next):
                for put in puts:
                    put.options.setdefault("tags", []).append(current_request())
                return next()

        Raises InvalidArgument for what cannot be called; in the middleware WrongState when it calls next twice, and in
        the put when the middleware does not return a Placed per job.
        """
        self._putting.use(middleware)
        return middleware

    def on(self, hook: Literal["before_put", "after_put"]) -> Callable[[_AnyHook], _AnyHook]:
        """Register what to call when something is put; a decorator.

        hook: before_put, called with the list of Put before the middleware; or after_put, called with that list and the
            list of Placed after them, unless something was raised.

        What it raises is logged and changes nothing: see `use` for what may. Raises InvalidArgument for another name.
        """

        self._putting.hooks.check(hook)

        def register(called: _AnyHook) -> _AnyHook:
            self._putting.hooks.add(hook, called)
            return called

        return register

    def queue(self, name: str) -> Queue:
        """The queue of this name; it comes into being with its first job.

        name: 1 to 255 bytes of UTF-8 without control characters; checked when used.
        """
        return Queue(self, name)

    def throttle(self, id: str) -> Throttle:
        """The throttle of this name, which jobs name in their `throttles`. A queue's own: `Queue.throttle`.

        id: 1 to 255 bytes of UTF-8 without control characters, not beginning with queue:; checked when used.
        """
        return Throttle(self, id=id)

    def recurring(self, jid: str) -> Recurring | None:
        """Look a recurring job up; None when there is none of that id.

        jid: its id.

        Raises InvalidArgument for an impossible jid. Releases the GIL.

        Source: core/src/engine/ops/recurring_get.lua
        """
        reply = self._native.call("recurring_get", object_text({"jid": jid}, "recurring_get"))
        return None if reply == "null" else Recurring(self, view=reply)

    def job(self, jid: str) -> Job | None:
        """Look a job up, whatever its state; None when there is no such job (any more).

        jid: the job's id.

        The result is a picture of this moment. Raises InvalidArgument for an impossible jid. Releases the GIL.

        Source: core/src/engine/ops/job_get.lua
        """
        reply = self._native.call("job_get", object_text({"jid": jid}, "job_get"))
        return None if reply == "null" else Job._of_view(self, reply)

    def jobs(self, jids: Iterable[str]) -> list[Job | None]:
        """Look several jobs up, whatever their state; in the order asked, None for each that there is not.

        jids: at most 250 ids.

        Raises InvalidArgument for an impossible jid. Releases the GIL.

        Source: core/src/engine/ops/job_get_many.lua
        """
        found: list[Job | None] = []
        rest = texts(jids, "jids", "job_get_many")
        while True:
            reply = self._native.call("job_get_many", object_text({"jids": rest}, "job_get_many"))
            jobs, rest = self._viewed(reply)
            found += jobs
            if not rest:
                return found

    def _viewed(self, reply: str) -> tuple[list[Job | None], list[str]]:
        """The jobs of a reply, and the jids it had no room for."""
        members = _native.members(reply)
        views = _native.elements(members["jobs"])
        jobs = [None if view == "null" else Job._of_view(self, view) for view in views]
        return jobs, json.loads(members["rest"])

    def events(self, *what: str, worker: str | None = None) -> Events:
        """Hear what happens to jobs, on a connection of its own: to tracked ones, or to all (setting `events`).

        what: put, waiting, scheduled, blocked, throttled, reserved, stalled, completed, failed, cancelled, track or
            untrack; * says all. Default: all of them, or none with `worker`.
        worker: hear too what becomes of the jobs that this worker holds, tracked or not: stalled, lost, cancelled.
            Default: no worker's.

        Returns the subscription; what happens after that is heard. Raises InvalidArgument. Releases the GIL.

            with client.events("completed", "failed") as events:
                for event in events:
                    print(event.jid, event.event)

        Source: core/src/client/events/mod.rs
        """
        options = given({"what": what or None, "worker": worker})
        return Events(self._native.events(object_text(options, "events_open")))

    def cancel(self, jids: Iterable[str]) -> list[str]:
        """Make jobs disappear, in whatever state they are. Who runs one loses it.

        jids: 1 to 250 ids; a job and those that wait for it in any order.

        Returns the ids of those that were there. Raises HasDependents when a job waits for one of them and is not
        cancelled with it (then none is), InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/job_cancel.lua
        """
        return cast("list[str]", self._of_jids("job_cancel", jids))

    def track(self, jids: Iterable[str]) -> int:
        """From now on events tell what happens to these jobs: see `events`.

        jids: 1 to 250 ids; those without a job are passed over.

        Returns how many were not tracked before. Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/job_track.lua
        """
        return cast("int", self._of_jids("job_track", jids))

    def untrack(self, jids: Iterable[str]) -> int:
        """Events no longer tell of these jobs.

        jids: 1 to 250 ids.

        Returns how many were tracked before. Raises InvalidArgument. Releases the GIL.

        Source: core/src/engine/ops/job_untrack.lua
        """
        return cast("int", self._of_jids("job_untrack", jids))

    def explain(self, jid: str) -> Explanation | None:
        """Why a job is not running, or what has become of it; None when there is no such job.

        jid: the job's id.

        Raises InvalidArgument for an impossible jid. Releases the GIL.

        Source: core/src/engine/ops/job_explain.lua
        """
        return cast("Explanation | None", in_seconds(self.call("job_explain", {"jid": jid})))

    def _of_jids(self, operation: str, jids: Iterable[str]) -> Any:
        return self.call(operation, {"jids": texts(jids, "jids", operation)})

    def call(self, operation: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Call any operation by its name: the door that all methods use.

        operation: such as queue_counts.
        arguments: as the operation's Lua header names them; spans in milliseconds (`_ms`). Default none.

        Returns the reply's JSON as Python values; spans in milliseconds. Raises UnknownOperation, InvalidArgument for
        an argument that the operation does not know, and what the operation itself raises. Releases the GIL.

        Source: core/src/engine/ops/
        """
        text(operation, "operation", None)
        if not isinstance(arguments, (Mapping, type(None))):
            raise InvalidArgument(f"arguments must be a mapping, not {type(arguments).__name__}", operation=operation)
        return json.loads(self._native.call(operation, object_text(arguments or {}, operation)))

    def close(self) -> None:
        """Close the connections; every later call raises Closed. Calling it again does nothing."""
        self._native.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _redirect(self, url: str | None, namespace: str | None) -> None:
        """Point it, and all that was made of it, elsewhere; None: where it points already."""
        options = json.loads(self._options)
        self._options = object_text(options if namespace is None else {**options, "namespace": namespace}, None)
        self._native = _native.Client(self.url if url is None else url, self._options)

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self.url, self._options)

    def __repr__(self) -> str:
        return f"<manyhands.Client namespace={self.namespace!r}>"  # no URL: it may hold a password


def _reopen(url: str, options: str) -> Client:
    client = Client.__new__(Client)
    client._options = options
    client._native = _native.Client(url, options)
    client._putting = Putting()
    return client

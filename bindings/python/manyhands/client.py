"""A connection to one namespace, with all operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, NoReturn

from manyhands import _native
from manyhands._wire import milliseconds, object_text, refuse_unknown
from manyhands.config import Config
from manyhands.errors import InvalidArgument
from manyhands.job import Job
from manyhands.queue import Queue


class Client:
    """A connection to the jobs of one namespace in one Redis.

    Threads share it, forked children may go on using it, and it pickles (by URL and options).
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

        url: redis://, unix:// or embedded:DIR (a private server kept in DIR). Default: MANYHANDS_URL, else REDIS_URL,
            else embedded:.manyhands.
        namespace: 1 to 64 of A-Z a-z 0-9 _ -; jobs of other namespaces are out of sight. Default mh.
        timeout: seconds during which a call is repeated while Redis is away, 0.001 to 600. Default 60.
        engine_upgrade: auto (load and replace older engines) or manual. Default: auto for embedded: and an empty
            server, else manual.

        Raises InvalidArgument for a bad option, UnsupportedUrl for another kind of URL.

        Source: core/src/options.rs, core/src/url.rs
        """
        refuse_unknown(unknown, None)
        if not isinstance(url, (str, type(None))):
            raise InvalidArgument(f"url must be a text, not {type(url).__name__}")
        options: dict[str, Any] = {"namespace": namespace, "engine_upgrade": engine_upgrade}
        if timeout is not None:
            options["timeout_ms"] = milliseconds(timeout, "timeout", None, least=1, most=_native.MAX_TIMEOUT_MS)
        self._options = object_text({name: value for name, value in options.items() if value is not None}, None)
        self._native = _native.Client(url, self._options)

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

    def queue(self, name: str) -> Queue:
        """The queue of this name; it comes into being with its first job.

        name: 1 to 255 bytes of UTF-8 without control characters; checked when used.
        """
        return Queue(self, name)

    def job(self, jid: str) -> Job | None:
        """Look a job up, whatever its state; None when there is no such job (any more).

        jid: the job's id.

        The result is a picture of this moment. Raises InvalidArgument for an impossible jid. Releases the GIL.

        Source: core/src/engine/ops/job_get.lua
        """
        reply = self._native.call("job_get", object_text({"jid": jid}, "job_get"))
        return None if reply == "null" else Job._of_view(self, reply)

    def call(self, operation: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Call any operation by its name: the door that all methods use.

        operation: such as queue_counts.
        arguments: as the operation's Lua header names them; spans in milliseconds (`_ms`). Default none.

        Returns the reply's JSON as Python values; spans in milliseconds. Raises UnknownOperation, InvalidArgument for
        an argument that the operation does not know, and what the operation itself raises. Releases the GIL.

        Source: core/src/engine/ops/
        """
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

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self.url, self._options)

    def __repr__(self) -> str:
        return f"<manyhands.Client namespace={self.namespace!r}>"  # no URL: it may hold a password


def _reopen(url: str, options: str) -> Client:
    client = Client.__new__(Client)
    client._options = options
    client._native = _native.Client(url, options)
    return client

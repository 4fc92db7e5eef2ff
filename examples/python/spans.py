"""A trace goes on from who puts a job to who performs it, and to the jobs that are put there: in a header.

With OpenTelemetry, `inject(headers)` writes it and `extract(job.headers)` reads it; here a few lines stand for that.

python -m manyhands work spans:worker
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from manyhands import Client, Job, Next, Placed, Put, Worker

client = Client()
worker = Worker(client, ["parcels"])
current: ContextVar[str] = ContextVar("current", default="")


@contextmanager
def span(name: str, parent: str) -> Iterator[None]:
    """What a tracing library does: a span with the trace of its parent, or with one of its own."""
    trace = parent.split("-")[1] if parent else os.urandom(16).hex()
    token = current.set(f"00-{trace}-{os.urandom(8).hex()}-01")
    try:
        yield
    finally:
        print(name, current.get(), "parent", parent or "none", flush=True)
        current.reset(token)


@client.use
def carry(puts: list[Put], next: Next[list[Placed]]) -> list[Placed]:
    if current.get():
        for put in puts:
            put.options["headers"] = {"traceparent": current.get(), **put.options.get("headers", {})}
    return next()


@worker.use
def traced(job: Job, next: Next[Any]) -> Any:
    with span(job.kind, job.headers.get("traceparent", "")):
        return next()


@worker.perform("pack")
def pack(job: Job) -> None:
    client.queue("parcels").put("send", job.data)


@worker.perform("send")
def send(_job: Job) -> None:
    pass

"""A worker that performs so many jobs of queue q, for tests, and a look at what became of them."""

from __future__ import annotations

from collections.abc import Callable

from manyhands import Client, Job, Worker


def perform(client: Client, handler: Callable[[Job], object], *, kind: str = "work", jobs: int = 1) -> Worker:
    """Run a worker on queue q until it has performed so many jobs."""
    worker = Worker(client, ["q"])
    left = jobs

    @worker.perform(kind)
    def count_down(job: Job) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            worker.stop()
        return handler(job)

    worker.run()
    return worker


def found(client: Client, jid: str) -> Job:
    """A job as Redis has it now."""
    job = client.job(jid)
    assert job is not None
    return job


def raising(error: BaseException) -> Callable[[Job], object]:
    """A handler that raises."""

    def handler(_job: Job) -> object:
        raise error

    return handler

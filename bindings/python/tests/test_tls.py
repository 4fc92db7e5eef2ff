"""Clients and workers over TLS, which forks and processes go on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import tls_server
from test_fork import in_child
from working import Command, until

from manyhands import Client, Denied, InvalidArgument

Url = Callable[[str], str]


@pytest.fixture(scope="module")
def url() -> Iterator[Url]:
    """The server's URL with options."""
    with tls_server() as url:
        yield url


@pytest.fixture
def client(url: Url, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client over TLS, in a namespace of its own."""
    with Client(url("?ca=DIR/ca.pem"), namespace=request.node.name) as client:
        yield client


def test_parent_and_child_go_on_after_a_fork(client: Client) -> None:
    queue = client.queue("q")

    def use() -> None:
        queue.put("child")
        assert queue.reserve()[0].complete() == "completed"
        client.close()

    queue.put("parent")
    in_child(use)
    assert [job.kind for job in queue.reserve(10)] == ["child"]


def test_forked_worker_processes_perform_jobs(client: Client, run: Callable[..., Command]) -> None:
    command = run("--worker-count", "2")
    placed = client.queue("q").put("work")

    def performed() -> int | None:
        job = client.job(placed.jid)
        return job.result if job is not None and job.state == "completed" else None

    until("the job is performed", performed)
    assert performed() not in (os.getpid(), command.pid)


def test_what_does_not_fit_is_refused(url: Url, tmp_path: Path) -> None:
    with Client(url("?ca=DIR/other.pem")) as stranger, pytest.raises(Denied, match="certificate"):
        stranger.queue("q").put("work")
    with pytest.raises(InvalidArgument, match=r"ca .*/none\.pem"):
        Client(url(f"?ca={tmp_path}/none.pem"))

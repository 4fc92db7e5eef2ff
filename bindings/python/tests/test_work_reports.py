"""What `python -m manyhands work` tells those who look on, and what they may ask of it from elsewhere."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from signal import SIGQUIT
from typing import Literal

from working import PATIENCE, Command, is_gone, until

from manyhands import Client

Run = Callable[..., Command]


def heard(listener: socket.socket, begins: str) -> str:
    """Wait for a datagram that begins so."""
    listener.settimeout(PATIENCE)
    while not (said := listener.recv(1500).decode()).startswith(begins):
        pass
    return said


# A4
def test_jobs_are_counted_and_timed_by_kind(run: Run) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        command = run(STATSD_HOST="127.0.0.1", STATSD_PORT=str(sink.getsockname()[1]), STATSD_KEY="jobs")
        for kind in ("quick", "work"):
            command.put(kind)
            said = heard(sink, f"jobs.{kind}.count:1|c\n")
            assert re.search(rf"^jobs\.{kind}\.time:[\d.]+\|ms$", said, re.MULTILINE), said


# A7
def test_the_service_manager_learns_when_it_is_up_that_it_lives_and_when_it_ends(run: Run, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        command = run("--worker-count=2", NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="20000")
        for said in ("READY=1", "STATUS=2 of 2 processes serve", "WATCHDOG=1", "WATCHDOG=1"):
            heard(manager, said)
        command.signal(SIGQUIT)
        heard(manager, "STOPPING=1")
        assert command.status() == 0


# A8
def test_an_operator_orders_one_process_about(run: Run, tmp_path: Path) -> None:
    command = run("--worker-count=2")
    one, other = command.ready(2)
    (name,) = (worker["name"] for worker in command.client.workers() if f":{one}:" in worker["name"])
    with Client(command.client.url, namespace=command.client.namespace) as operator:

        def obeyed(order: Literal["pause", "resume", "quiet"], what: str, *, is_so: bool) -> None:
            assert operator.order(name, order) == 1
            until(f"it obeys {order}", lambda: command.statuses()[one][what] is is_so)
            assert command.statuses()[other][what] is False

        obeyed("pause", "paused", is_so=True)
        obeyed("resume", "paused", is_so=False)
        obeyed("quiet", "quiet", is_so=True)
        assert command.hold("a") == other
        command.put("hold", str(tmp_path / "b"), jid="b")
        command.finish("a")
        assert command.started("b") == other, "one is idle, and takes none"
        assert operator.order(name, "stop") == 1
        until("it has ended", lambda: is_gone(one))
        until("another serves in its place", lambda: len(command.statuses().keys() - {one}) == 2)
    assert command.job("b").state == "running"

"""What others can do while a call waits: run Python, and press Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from plain_redis import PlainRedis
from servers import redis_server

from manyhands import Client, Worker

MAIN = threading.main_thread().ident or 0


@pytest.fixture
def meanwhile() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Once the main thread is in a call of ours, count to 100,000 on another, which takes the GIL; then do it."""
    threads: list[threading.Thread] = []

    def begin(then: Callable[[], object]) -> None:
        def count() -> None:
            while "/manyhands/" not in sys._current_frames()[MAIN].f_code.co_filename:
                pass
            for _ in range(100_000):
                pass
            then()

        threads.append(threading.Thread(target=count))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()


def interrupt() -> None:
    """What Ctrl-C does."""
    signal.pthread_kill(MAIN, signal.SIGINT)


Meanwhile = Callable[[Callable[[], object]], None]


def test_next_lets_others_run(client: Client, meanwhile: Meanwhile) -> None:
    with Worker(client, ["q"]) as worker:
        meanwhile(lambda: client.queue("q").put("k"))
        job = worker.next()
        assert job is not None
        job.complete()


def test_a_call_lets_others_run(client: Client, redis: PlainRedis, meanwhile: Meanwhile) -> None:
    redis("CLIENT", "PAUSE", 60_000, "WRITE")
    meanwhile(lambda: redis("CLIENT", "UNPAUSE"))
    assert client.queue("q").put("k").outcome == "put"


def test_a_call_off_the_main_thread_lets_others_run(client: Client, redis: PlainRedis) -> None:
    client.queue("q").put("k")
    redis("CLIENT", "PAUSE", 60_000, "WRITE")
    thread = threading.Thread(target=lambda: client.queue("q").put("k"))
    thread.start()
    while not sys._current_frames()[thread.ident or 0].f_code.co_filename.endswith("manyhands/put.py"):
        pass
    redis("CLIENT", "UNPAUSE")
    thread.join()
    assert client.queue("q").counts()["waiting"] == 2


def test_events_let_others_run(client: Client, meanwhile: Meanwhile) -> None:
    client.config.set("events", "all")
    with client.events("put") as events:
        meanwhile(lambda: client.queue("q").put("k", jid="a"))
        assert next(events).jid == "a"


def test_events_are_interrupted(client: Client, meanwhile: Meanwhile) -> None:
    client.config.set("events", "all")
    with client.events("put") as events:
        meanwhile(interrupt)
        with pytest.raises(KeyboardInterrupt):
            events.next()
        client.queue("q").put("k", jid="a")
        assert next(events).jid == "a"


def test_next_is_interrupted(client: Client, meanwhile: Meanwhile) -> None:
    with Worker(client, ["q"]) as worker:
        meanwhile(interrupt)
        with pytest.raises(KeyboardInterrupt):
            worker.next()
        client.queue("q").put("k")
        job = worker.next(10)
        assert job is not None
        job.complete()


def test_a_call_is_interrupted_while_redis_is_away(meanwhile: Meanwhile) -> None:
    with redis_server() as (server, socket_path), Client(f"unix://{socket_path}", engine_upgrade="auto") as client:
        client.queue("q").put("k")
        server.kill()
        server.wait()
        meanwhile(interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.queue("q").put("k")


def test_close_with_a_job_in_hand_is_interrupted(client: Client, meanwhile: Meanwhile) -> None:
    client.queue("q").put("k")
    worker = Worker(client, ["q"])
    assert worker.next(10) is not None
    meanwhile(interrupt)
    with pytest.raises(KeyboardInterrupt):
        worker.close(60)


@pytest.mark.parametrize(
    "use", [lambda client: client, lambda client: Worker(client, ["q"]), lambda client: client.events("put")]
)
def test_the_end_of_an_embedded_server_lets_others_run(tmp_path: Path, use: Callable[[Client], object]) -> None:
    client = Client(f"embedded:{tmp_path / 'jobs'}")
    client.queue("q").put("k")
    with PlainRedis(Path((tmp_path / "jobs" / "socket").read_text())) as redis:
        server = int(
            dict(line.split(b":", 1) for line in redis("INFO", "server").split() if b":" in line)[b"process_id"]
        )
    last_user = use(client)
    order: list[str] = []

    def let_it_end() -> None:
        with (tmp_path / "jobs" / "gate.lock").open() as gate:
            while not order and not is_locked(gate):  # locked by who leaves
                pass
        order.append("others run")
        os.kill(server, signal.SIGCONT)

    os.kill(server, signal.SIGSTOP)
    thread = threading.Thread(target=let_it_end)
    thread.start()
    del client
    last_user = None  # noqa: F841  was the last that held it
    order.append("the server has ended")
    thread.join()
    assert order == ["others run", "the server has ended"]


def is_locked(file: IO[str]) -> bool:
    """Whether somebody else holds the file's lock for himself."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def test_python_handlers_run_during_a_wait(client: Client, meanwhile: Meanwhile) -> None:
    previous = signal.signal(signal.SIGUSR1, lambda _number, _frame: client.queue("q").put("k"))
    try:
        with Worker(client, ["q"]) as worker:
            meanwhile(lambda: signal.pthread_kill(MAIN, signal.SIGUSR1))
            job = worker.next()
            assert job is not None
            job.complete()
    finally:
        signal.signal(signal.SIGUSR1, previous)

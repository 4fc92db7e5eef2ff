"""A redis-server of the tests' own on a unix socket, a namespace for each test, and a plain connection beside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plain_redis import PlainRedis
from servers import redis_server
from working import PATIENCE, Command

import manyhands
from manyhands import Client

TESTS = Path(__file__).parent

# A shell starts what runs in its background without them, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def socket_path() -> Iterator[Path]:
    """Where the server that tests share listens."""
    with redis_server() as (_, path):
        yield path


@pytest.fixture
def redis(socket_path: Path) -> Iterator[PlainRedis]:
    """A connection that is not ours, to disturb the server with."""
    with PlainRedis(socket_path) as connection:
        yield connection


@pytest.fixture
def client(socket_path: Path) -> Iterator[Client]:
    """A client in a namespace of its own."""
    with Client(f"unix://{socket_path}", namespace=f"t{uuid.uuid4().hex[:12]}", engine_upgrade="auto") as client:
        yield client


@pytest.fixture
def program(client: Client) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start one of programs.py in a process of its own, in the client's namespace; killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-u", str(TESTS / "programs.py"), name, client.url, client.namespace, *arguments]
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(client: Client, tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Run `python -m manyhands work` with flags; killed with all its processes at the end."""
    started: list[Command] = []

    def start(*flags: str, app: str = "working_app", **environment: str) -> Command:
        command = Command(client, tmp_path, flags, app, **environment)
        started.append(command)
        return command

    yield start
    for command in started:
        command.end()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """The threads that a test begins end with it: a handler that went on would disturb all tests after it."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} is left"


@pytest.fixture(autouse=True)
def _installed() -> None:
    """The package under test is the installed wheel, not the source folder."""
    assert "site-packages" in str(manyhands.__file__)

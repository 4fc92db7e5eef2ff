"""A redis-server of the tests' own, and waiting for what a program says."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

TLS_SERVER = Path(__file__).parents[3] / "tests/tls/server.sh"


def _started(path: Path, *options: str, program: str | Path = "redis-server") -> subprocess.Popen[str]:
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", ""]
    server = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, cwd=path.parent)
    wait_for_line(server.stdout, "accept connections")
    return server


@contextmanager
def _socket() -> Iterator[Path]:
    """In a folder of its own; the path is short, because sockets have at most 107 bytes of it."""
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    yield folder / "redis.sock"
    shutil.rmtree(folder)


@contextmanager
def redis_server(program: str | Path = "redis-server") -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A redis-server and its socket."""
    with _socket() as path, _started(path, program=program) as server:
        yield server, path
        server.kill()


class LastingServer:
    """A redis-server that has lost nothing when it is killed and started again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start()

    def start(self) -> None:
        """Start it, with what it had."""
        self._server = _started(self.path, "--appendonly", "yes", "--appendfsync", "always")

    def kill(self) -> None:
        """Kill it."""
        self._server.kill()
        self._server.communicate()


@contextmanager
def lasting_server() -> Iterator[LastingServer]:
    """A redis-server that may be restarted."""
    with _socket() as path:
        server = LastingServer(path)
        yield server
        server.kill()


@contextmanager
def tls_server() -> Iterator[Callable[[str], str]]:
    """A redis-server that speaks TLS: its URL with options, in which DIR is the folder of its certificates."""
    with redis_server(TLS_SERVER) as (_, path):
        url = path.with_name("url").read_text()
        yield lambda options: url + options.replace("DIR", str(path.parent))


def wait_for_line(lines: IO[str] | None, words: str) -> str:
    """The first line that has `words` in it; fails when the output ends before."""
    assert lines is not None
    for line in lines:
        if words in line:
            return line
    raise AssertionError(f"the program ended without saying {words!r}")

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


@contextmanager
def redis_server(program: str | Path = "redis-server") -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A redis-server and its socket; the path is short, because sockets have at most 107 bytes of it."""
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    path = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
        wait_for_line(server.stdout, "accept connections")
        yield server, path
        server.kill()
    shutil.rmtree(folder)


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

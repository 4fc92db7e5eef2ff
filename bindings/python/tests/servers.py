"""A redis-server of the tests' own, and waiting for what a program says."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def redis_server() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A redis-server and its socket; the path is short, because sockets have at most 107 bytes of it."""
    folder = Path(tempfile.mkdtemp(prefix="mh-"))
    path = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        wait_for_line(server.stdout, "accept connections")
        yield server, path
        server.kill()
    shutil.rmtree(folder)


def wait_for_line(lines: IO[str] | None, words: str) -> str:
    """The first line that has `words` in it; fails when the output ends before."""
    assert lines is not None
    for line in lines:
        if words in line:
            return line
    raise AssertionError(f"the program ended without saying {words!r}")

"""A few lines of Redis protocol, so that tests can look at and disturb the server without our own client."""

from __future__ import annotations

import shlex
import socket
from pathlib import Path
from typing import Any


class PlainRedis:
    """One connection that sends commands and reads their replies."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def __call__(self, *command: str | int) -> Any:
        """Send a command; its reply as bytes, int, None or list. Raises RuntimeError for an error reply."""
        words = [str(word).encode() for word in command]
        parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]
        self._socket.sendall(b"".join(parts))
        return self._reply()

    def blocked_clients(self) -> int:
        """How many connections wait in a blocking command."""
        line = next(line for line in self("INFO", "clients").split() if line.startswith(b"blocked_clients:"))
        return int(line.partition(b":")[2])

    def hears(self, command: str) -> list[str]:
        """After MONITOR: wait for this command of anybody; its words."""
        while True:
            words = shlex.split(self._reply().decode().partition("] ")[2])
            if words[:1] == [command]:
                return words

    def _reply(self) -> Any:
        line = self._lines.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._lines.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        return rest

    def __enter__(self) -> PlainRedis:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

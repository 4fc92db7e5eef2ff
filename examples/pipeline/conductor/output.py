"""The output folder: its records, its page, and the work folder with the private server."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

from manyhands import Client

from errors import DemoError

MARK = ".pipeline"


class Output:
    """An output folder that this run has for itself until `close`.

    records: one JSON file per document, written by the last stage. logs: what each worker process said.
    url: the private server, kept in the folder too.
    """

    def __init__(self, path: Path) -> None:
        """Take the folder and empty it of the previous run.

        path: is made when missing. Raises DemoError when it holds something that is not a pipeline's output, when
        another run works in it, or when it cannot be written.
        """
        self.path = path
        self.records = path / "records"
        self.logs = path / "logs"
        self.page = path / "index.html"
        self.server = path / ".manyhands"
        try:
            self._lock = self._take()
            self._stop_left_server()
            for folder in (self.records, self.logs, self.server):
                shutil.rmtree(folder, ignore_errors=True)
            self.page.unlink(missing_ok=True)
            self.records.mkdir()
            self.logs.mkdir()
        except OSError as error:
            raise DemoError(f"OUT={path}: {error.strerror} ({error.filename})") from error

    def _take(self) -> IO[str]:
        if self.path.exists() and not self.path.is_dir():
            raise DemoError(f"OUT={self.path} is not a folder")
        mark = self.path / MARK
        if self.path.exists() and not mark.exists() and any(self.path.iterdir()):
            raise DemoError(f"OUT={self.path} holds other files; choose a new or empty folder")
        self.path.mkdir(parents=True, exist_ok=True)
        lock = mark.open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise DemoError(f"another run is working in OUT={self.path}") from None
        return lock

    def _stop_left_server(self) -> None:
        """A conductor that was killed leaves its server running. It ends with its last user: be that."""
        if self.server.exists():
            with Client(self.url) as client:
                client.call("engine_version")

    @property
    def url(self) -> str:
        """The URL of the private server in this folder."""
        return f"embedded:{self.server}"

    def record_path(self, jid: str) -> Path:
        """Where the record of a document belongs."""
        return self.records / f"{jid}.json"

    def read_records(self) -> dict[str, dict[str, Any]]:
        """All finished records by jid. Half-written ones of killed processes bear other names, and are removed."""
        records = {}
        for entry in os.scandir(self.records):
            if entry.name.endswith(".json"):
                records[entry.name.removesuffix(".json")] = json.loads(Path(entry.path).read_text("utf-8"))
            else:
                Path(entry.path).unlink()
        return records

    def remove_server(self) -> None:
        """Remove the work folder of the private server, which has ended."""
        shutil.rmtree(self.server)

    def close(self) -> None:
        """Let another run have the folder."""
        self._lock.close()

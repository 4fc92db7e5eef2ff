"""The programs in examples/python that are run by the command; hello.py has a test with the wheel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from working import Command, until

EXAMPLES = Path(__file__).parents[3] / "examples" / "python"

Run = Callable[..., Command]


def test_reconnect(run: Run, tmp_path: Path) -> None:
    command = run("--worker-count=2", app="reconnect", PYTHONPATH=str(EXAMPLES), DATABASE=str(tmp_path / "visits.db"))
    queue = command.client.queue("visits")
    jids = [placed.jid for placed in queue.put_many([{"kind": "visit", "data": {"page": "/"}}] * 6)]
    results = [command.ends_as(jid, "completed").result for jid in jids]
    assert sorted(results) == [1, 2, 3, 4, 5, 6]


def test_error_reporter(run: Run) -> None:
    command = run("--run-as-single-process", app="error_reporter:worker", PYTHONPATH=str(EXAMPLES))
    jid = command.client.queue("orders").put("ship", {"order": 7}, retries=0).jid
    line = json.loads(command.says('{"error"'))
    assert (line["error"], line["message"], line["job"]["jid"]) == ("LookupError", "there is no order 7", jid)
    assert line["where"].startswith("ship:")


def test_spans(run: Run) -> None:
    command = run("--run-as-single-process", app="spans:worker", PYTHONPATH=str(EXAMPLES))
    trace = "0af7651916cd43dd8448eb211c80319c"
    parent = f"00-{trace}-b7ad6b7169203331-01"
    command.client.queue("parcels").put("pack", headers={"traceparent": parent})
    _, _, *packed, _, packed_parent = command.says("span pack").split()
    _, _, *sent, _, sent_parent = command.says("span send").split()
    assert (packed_parent, sent_parent) == ("b7ad6b7169203331", packed[1])
    assert packed[0] == sent[0] == trace
    until("both are done", lambda: command.client.queue("parcels").counts()["running"] == 0)

"""The scenario driver: that it reaches every operation through a method of the package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from manyhands import Client

ROOT = Path(__file__).parents[3]
OPERATIONS = {file.stem for file in (ROOT / "core/src/engine/ops").glob("*.lua")}

Calls = list[tuple[str, dict[str, Any]]]

LISTED = {"offset": 0, "limit": 10}

CALLS: Calls = [
    ("queue_put", {"jobs": [{"queue": "q", "kind": "k", "jid": jid} for jid in "abcdefg"]}),
    ("queue_put", {"jobs": [{"queue": "q", "kind": "k", "jid": "h", "delay_ms": 5}]}),
    ("job_get", {"jid": "a"}),
    ("job_get_many", {"jids": ["a", "b"]}),
    ("job_prioritize", {"jid": "b", "priority": -1}),
    ("job_prioritize", {"jid": "a", "priority": 1}),
    ("job_tag", {"jid": "a", "tags": ["t"]}),
    ("job_untag", {"jid": "a", "tags": ["u"]}),
    ("job_track", {"jids": ["a"]}),
    ("job_tracked", LISTED),
    ("job_untrack", {"jids": ["a"]}),
    ("job_depend", {"jid": "b", "on": ["a"]}),
    ("job_undepend", {"jid": "b", "all": True}),
    ("job_explain", {"jid": "a"}),
    ("job_list", {"state": "waiting", "queue": "q", **LISTED}),
    ("tag_jobs", {"tag": "t", **LISTED}),
    ("tag_list", LISTED),
    ("queue_counts", {"queue": "q"}),
    ("queue_length", {"queue": "q"}),
    ("queue_list", LISTED),
    ("queue_peek", {"queue": "q", **LISTED}),
    ("queue_stats", {"queue": "q"}),
    ("queue_pause", {"queues": ["q"]}),
    ("queue_unpause", {"queues": ["q"]}),
    ("queue_reserve", {"queues": ["q"], "worker": "w", "limit": 6}),
    ("job_heartbeat", {"held": "a"}),
    ("job_save", {"jid": "a", "data": {"n": 1}}),
    ("job_progress", {"jid": "a", "progress": 0.5}),
    ("job_log", {"jid": "a", "message": "m"}),
    ("worker_jobs", {"worker": "w", **LISTED}),
    ("worker_list", LISTED),
    ("worker_order", {"worker": "w", "order": "pause"}),
    ("worker_deregister", {"workers": ["w"]}),
    ("job_complete", {"held": "a"}),
    ("job_fail", {"held": "c", "group": "g"}),
    ("job_retry", {"held": "d", "delay_ms": 0}),
    ("job_snooze", {"held": "e", "delay_ms": 5}),
    ("job_release", {"held": "f"}),
    ("failure_groups", LISTED),
    ("failure_jobs", {"group": "g", **LISTED}),
    ("failure_unfail", {"group": "g"}),
    ("job_requeue", {"jid": "a", "queue": "r"}),
    ("job_timeout", {"jid": "g"}),
    ("job_cancel", {"jids": ["a"]}),
    ("queue_forget", {"queues": ["r"]}),
    ("recurring_put", {"jid": "again", "queue": "r", "kind": "k", "interval_ms": 1000}),
    ("recurring_get", {"jid": "again"}),
    ("recurring_list", {"queue": "r", **LISTED}),
    ("recurring_update", {"jid": "again", "priority": 1}),
    ("recurring_tag", {"jid": "again", "tags": ["t"]}),
    ("recurring_untag", {"jid": "again", "tags": ["t"]}),
    ("recurring_pause", {"jid": "again"}),
    ("recurring_resume", {"jid": "again"}),
    ("recurring_cancel", {"jids": ["again"]}),
    ("throttle_set", {"id": "t", "limit": 1, "expires_ms": 5000}),
    ("throttle_get", {"id": "t"}),
    ("throttle_list", LISTED),
    ("throttle_holders", {"id": "t", **LISTED}),
    ("throttle_pending", {"id": "t", **LISTED}),
    ("throttle_release", {"id": "t", "jid": "b"}),
    ("throttle_delete", {"id": "t"}),
    ("pattern_set", {"identifiers": {"a": ["b"]}}),
    ("pattern_get", {}),
    ("config_set", {"name": "heartbeat", "value": 5000}),
    ("config_get", {"name": "heartbeat"}),
    ("config_unset", {"name": "heartbeat"}),
    ("config_all", {}),
    ("sweep", {"limit": 10}),
    ("check", {"limit": 10}),
]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The driver as a module of its own."""
    folder = ROOT / "tests/drivers/python"
    monkeypatch.syspath_prepend(folder)
    spec = importlib.util.spec_from_file_location("driver", folder / "driver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_operation_has_a_method(client: Client, driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {operation for operation, _ in CALLS} == OPERATIONS - set(driver.BY_DOOR)
    assert set(driver.METHODS) - {"close"} == OPERATIONS - set(driver.BY_DOOR)

    def no_door(_client: Client, operation: str, _args: object) -> None:
        pytest.fail(f"{operation} went through the door")

    monkeypatch.setattr(driver, "door", no_door)
    reached: list[str] = []
    native = client._native

    class Recorded:
        """The native client, which hears by its names what operations are called."""

        def call(self, operation: str, arguments: str) -> str:
            reached.append(operation)
            return native.call(operation, arguments)

        def put(self, jobs: str, alone: bool) -> list[Any]:
            reached.append("queue_put")
            return native.put(jobs, alone)

        def reserve(self, queue: str, limit: int, worker: str | None) -> list[tuple[Any, ...]]:
            reached.append("queue_reserve")
            return native.reserve(queue, limit, worker)

    client._native = Recorded()  # type: ignore[assignment]
    tokens: dict[str, str] = {}
    for operation, arguments in CALLS:
        args = dict(arguments)
        if "held" in args:
            jid = args.pop("held")
            args = {"jobs": [{"jid": jid, "token": tokens[jid], **args}]}
        elif operation in ("job_save", "job_progress", "job_log"):
            args["token"] = tokens["a"]
        reply = driver.perform("label", client, operation, args)
        if operation == "queue_reserve":
            tokens = {job["jid"]: job["token"] for job in reply["jobs"]}
        assert operation in reached
    client._native = native


def test_what_no_method_says_goes_through_the_door(client: Client, driver: Any) -> None:
    assert driver.perform("label", client, "engine_version", {})["major"] == 1
    refused = driver.answer("label", f'{{"url":"{client.url}"}}', "queue_counts", '{"queue":"q","colour":1}')
    assert (refused["error"]["name"], refused["error"]["operation"]) == ("INVALID_ARGUMENT", "queue_counts")
    unknown = driver.answer("label", f'{{"url":"{client.url}"}}', "queue_dance", "{}")
    assert unknown["error"]["name"] == "UNKNOWN_OPERATION"


def test_what_the_package_does_wrong_is_no_refusal(
    client: Client, driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise TypeError("of the package's own")

    options = f'{{"url":"{client.url}"}}'
    monkeypatch.setattr("manyhands.Queue.counts", wrong)
    assert driver.answer("label", options, "queue_counts", '{"queue":""}')["error"]["name"] == "TypeError"
    del driver.METHODS["queue_length"]
    for queue in ("q", ""):
        found = driver.answer("label", options, "queue_length", f'{{"queue":"{queue}"}}')
        assert found["error"]["name"] == "NotImplementedError"

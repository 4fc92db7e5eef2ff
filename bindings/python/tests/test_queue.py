"""Queue: put, put_many, reserve, counts, stats, and what they refuse."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from manyhands import Client, InvalidArgument, JobExists, Placed


def test_put_and_reserve(client: Client) -> None:
    queue = client.queue("mail")
    placed = queue.put("welcome", {"to": "ann"}, priority=5, retries=2, tags=["a", "b"], route=["next"])
    assert placed.outcome == "put"
    assert len(placed.jid) == 32

    (job,) = queue.reserve(10)
    assert (job.jid, job.kind, job.queue, job.data) == (placed.jid, "welcome", "mail", {"to": "ann"})
    assert (job.priority, job.retries, job.remaining, job.state) == (5, 2, 2, "running")
    assert (job.tags, job.route) == (["a", "b"], ["next"])
    assert job.worker is not None
    assert job.token is not None
    assert queue.reserve() == []


def test_put_many_in_order(client: Client) -> None:
    queue = client.queue("q")
    placed = queue.put_many([{"kind": "k", "data": number, "jid": f"j{number}"} for number in range(100)])
    assert placed[:2] == [Placed("j0", "put"), Placed("j1", "put")]
    assert [job.data for job in queue.reserve(250)] == list(range(100))


def test_conflicts(client: Client) -> None:
    queue = client.queue("q")
    queue.put("k", 1, jid="j")
    assert queue.put("k", 2, jid="j").outcome == "replaced"
    assert queue.put("k", 3, jid="j", on_conflict="keep").outcome == "kept"
    with pytest.raises(JobExists) as caught:
        queue.put("k", 4, jid="j", on_conflict="reject")
    assert caught.value.jid == "j"
    assert queue.put_many([{"kind": "k", "jid": "j", "on_conflict": "reject"}]) == [Placed("j", "exists")]
    (job,) = queue.reserve()
    assert job.data == 2
    assert queue.put("k", 5, jid="j").outcome == "kept"


@pytest.mark.parametrize(
    "text",
    ['{"l":[],"n":12345678901234567}', '"é😀\\u0000\\"\\\\"', "[]", "{}", "null", "[[],{},0.1,1e+300,true]", '{"":""}'],
)
def test_data_comes_back_byte_for_byte(client: Client, text: str) -> None:
    queue = client.queue("q")
    placed = queue.put("k", json.loads(text))
    (job,) = queue.reserve()
    assert job.raw_data == text
    assert job.data == json.loads(text)
    found = client.job(placed.jid)
    assert found is not None
    assert found.raw_data == text


def test_data_is_none_by_default(client: Client) -> None:
    client.queue("q").put("k")
    (job,) = client.queue("q").reserve()
    assert job.raw_data == "null"
    assert job.data is None


@pytest.mark.parametrize("delay", [1.5, timedelta(seconds=1.5)])
def test_delay_is_in_seconds(client: Client, delay: float | timedelta) -> None:
    client.config.set("test-clock", 1_000_000)
    placed = client.queue("q").put("k", delay=delay)
    job = client.job(placed.jid)
    assert job is not None
    assert (job.state, job.put_at, job.due_at) == ("scheduled", 1000.0, 1001.5)
    assert client.queue("q").reserve() == []
    client.config.set("test-clock", 1_001_500)
    assert [job.jid for job in client.queue("q").reserve()] == [placed.jid]


def test_counts(client: Client) -> None:
    queue = client.queue("q")
    queue.put_many([{"kind": "k"}, {"kind": "k"}, {"kind": "k", "delay": 60}])
    queue.reserve()
    counts = queue.counts()
    assert (counts["waiting"], counts["running"], counts["scheduled"], counts["paused"]) == (1, 1, 1, False)


def test_stats_are_in_seconds(client: Client) -> None:
    queue = client.queue("q")
    client.config.set("test-clock", 86_400_000)
    queue.put("k")
    client.config.set("test-clock", 86_402_000)
    (job,) = queue.reserve()
    job.complete()
    stats = queue.stats("1970-01-02")
    assert (stats["wait"]["count"], stats["run"]["count"], stats["failures"], stats["retries"]) == (1, 1, 0, 0)
    assert stats["wait"]["mean"] == pytest.approx(2.0, abs=0.5)
    ((upper, count),) = stats["wait"]["histogram"]
    assert count == 1
    assert upper is not None
    assert 1.5 <= upper <= 60
    assert queue.stats("1970-01-03")["wait"]["count"] == 0
    assert queue.stats(date(1970, 1, 2)) == stats


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)

BAD_PUTS: list[tuple[str, dict[str, Any], str]] = [
    ("empty kind", {"kind": ""}, "kind"),
    ("long jid", {"kind": "k", "jid": "j" * 300}, "jid"),
    ("control character", {"kind": "k\n"}, "kind"),
    ("number as kind", {"kind": 7}, "kind"),
    ("large priority", {"kind": "k", "priority": 5000}, "priority"),
    ("broken priority", {"kind": "k", "priority": 1.5}, "priority"),
    ("negative delay", {"kind": "k", "delay": -1}, "delay"),
    ("delay NaN", {"kind": "k", "delay": math.nan}, "delay"),
    ("delay without end", {"kind": "k", "delay": math.inf}, "delay"),
    ("delay of a million years", {"kind": "k", "delay": 3e13}, "delay"),
    ("delay as text", {"kind": "k", "delay": "soon"}, "delay"),
    ("delay as bool", {"kind": "k", "delay": True}, "delay"),
    ("delay as timedelta", {"kind": "k", "delay": timedelta(seconds=-1)}, "delay"),
    ("data NaN", {"kind": "k", "data": {"x": math.nan}}, "data"),
    ("data inf", {"kind": "k", "data": math.inf}, "data"),
    ("data object", {"kind": "k", "data": object()}, "data"),
    ("data bytes", {"kind": "k", "data": b"x"}, "data"),
    ("data surrogate", {"kind": "k", "data": "\ud800"}, "data"),
    ("data circle", {"kind": "k", "data": CIRCLE}, "data"),
    ("data deep", {"kind": "k", "data": json.loads("[" * 200 + "]" * 200)}, "data"),
    ("data large", {"kind": "k", "data": "x" * (2 << 20)}, "data"),
    ("retries", {"kind": "k", "retries": 256}, "retries"),
    ("tags as text", {"kind": "k", "tags": "abc"}, "tags"),
    ("tags with a set", {"kind": "k", "tags": {"a"}}, "tags"),
    ("many tags", {"kind": "k", "tags": ["t"] * 33}, "tags"),
    ("empty route", {"kind": "k", "route": [""]}, "route"),
    ("conflict", {"kind": "k", "on_conflict": "explode"}, "on_conflict"),
]


@pytest.mark.parametrize(("options", "argument"), [row[1:] for row in BAD_PUTS], ids=[row[0] for row in BAD_PUTS])
def test_bad_puts_name_the_argument_and_write_nothing(client: Client, options: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArgument, match=argument) as caught:
        client.queue("q").put(**options)
    assert caught.value.code == 100
    with pytest.raises(InvalidArgument, match=argument):
        client.queue("q").put_many([{"kind": "good"}, options])
    assert client.queue("q").counts()["waiting"] == 0


@pytest.mark.parametrize("option", ["prio", "queue", "delay_ms"])
def test_unknown_options_of_put_many(client: Client, option: str) -> None:
    with pytest.raises(InvalidArgument, match=option):
        client.queue("q").put_many([{"kind": "k", option: 1}])


def test_unknown_options_are_coded(client: Client) -> None:
    with pytest.raises(InvalidArgument, match="prio") as caught:
        client.queue("q").put("k", prio=1)  # type: ignore[arg-type]
    assert caught.value.code == 100
    with pytest.raises(InvalidArgument, match="nampespace"):
        Client(nampespace="x")  # type: ignore[arg-type]
    assert client.queue("q").counts()["waiting"] == 0


BAD_CALLS: list[tuple[Callable[[Client], object], str]] = [
    (lambda client: client.queue("").put("k"), "queue"),
    (lambda client: client.queue("q").reserve(-1), "limit"),
    (lambda client: client.queue("q").reserve(limit=0), "limit"),
    (lambda client: client.queue("q").reserve(1001), "limit"),
    (lambda client: client.queue("q").reserve(worker=""), "worker"),
    (lambda client: client.queue("q").put_many([]), "jobs"),
    (lambda client: client.queue("").counts(), "queue"),
    (lambda client: client.queue("q").stats("yesterday"), "day"),
    (lambda client: client.job(""), "jid"),
    (lambda client: client.job("j" * 300), "jid"),
    (lambda client: client.config.get("colour"), "colour"),
    (lambda client: client.config.set("heartbeat", -1), "heartbeat"),
    (lambda client: client.config.set("heartbeat", math.nan), "value"),
    (lambda client: client.call("queue_counts", {"queue": "q", "colour": 1}), "colour"),
    (lambda client: client.call("queue_counts", {"queue": math.inf}), "queue is not JSON"),
]


@pytest.mark.parametrize(("call", "argument"), BAD_CALLS)
def test_bad_calls_name_the_argument(client: Client, call: Callable[[Client], object], argument: str) -> None:
    with pytest.raises(InvalidArgument, match=argument) as caught:
        call(client)
    assert caught.value.code == 100

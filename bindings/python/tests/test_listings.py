"""Client and Queue: what is read by pages, and what an operator does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from plain_redis import PlainRedis

from manyhands import Client, Jids, Page, Violation, Worker, WorkerJobs, WrongState

ENGINE = Path(__file__).parents[3] / "core" / "src" / "engine"


def test_jobs_in_the_order_asked(client: Client) -> None:
    client.queue("q").put_many([{"kind": "k", "jid": jid, "data": {"l": []}} for jid in ("a", "b")])
    jobs = client.jobs(["b", "none", "a"])
    assert [job and job.jid for job in jobs] == ["b", None, "a"]
    assert jobs[0] is not None
    assert jobs[0].raw_data == '{"l":[]}'
    assert client.jobs([]) == []


def test_jobs_are_asked_for_again_when_a_reply_is_full(client: Client) -> None:
    data = "x" * 1_000_000
    for at in range(12):
        client.queue("q").put("k", data, jid=f"j{at}")
    jids = [f"j{at}" for at in range(12)]
    assert [job and job.jid for job in client.jobs(jids)] == jids
    assert [job.jid for job in client.queue("q").peek()] == jids


def test_peek_reserves_nothing(client: Client) -> None:
    queue = client.queue("q")
    queue.put_many([{"kind": "k", "jid": "a"}, {"kind": "k", "jid": "b", "priority": 1}, {"kind": "k", "delay": 60}])
    assert [job.jid for job in queue.peek()] == ["b", "a"]
    assert [job.jid for job in queue.peek(1, 1)] == ["a"]
    assert queue.counts()["running"] == 0


def test_jobs_by_state(client: Client) -> None:
    queue = client.queue("q")
    queue.put("k", jid="run")
    (job,) = queue.reserve()
    queue.put("k", jid="late", delay=60)
    queue.put("k", jid="blocked", dependencies=["late"])
    queue.put_many([{"kind": "k", "jid": f"w{at}"} for at in range(3)])
    queue.put_recurring("k", interval=60, jid="again", offset=60)
    assert queue.jobs("waiting", 1, 1) == Jids(3, ["w1"])
    assert queue.jobs("running") == Jids(1, ["run"])
    assert queue.jobs("scheduled") == Jids(1, ["late"])
    assert queue.jobs("blocked") == Jids(1, ["blocked"])
    assert queue.jobs("recurring") == Jids(1, ["again"])
    assert queue.jobs("stalled") == queue.jobs("throttled") == Jids(0, [])
    assert queue.length() == 6
    job.complete()
    assert client.completed() == Jids(1, ["run"])


def test_a_page(client: Client) -> None:
    client.queue("q").put_many([{"kind": "k", "jid": f"j{at}"} for at in range(5)])
    page = client.queue("q").jobs("waiting", 3)
    assert (page.total, page.jids, len(page), list(page)) == (5, ["j3", "j4"], 2, ["j3", "j4"])
    assert not client.queue("q").jobs("waiting", 5)


def test_failures_and_unfail(client: Client) -> None:
    queue = client.queue("q")
    queue.put_many([{"kind": "k", "jid": f"j{at}"} for at in range(3)])
    for job in queue.reserve(3):
        job.fail("few" if job.jid == "j0" else "many")
    assert client.failures() == Page(2, [("many", 2), ("few", 1)])
    assert client.failed("many") == Jids(2, ["j2", "j1"])
    assert client.unfail("many", limit=1) == 1
    assert client.unfail("many", queue="other") == 1
    assert client.unfail("many") == 0
    assert (queue.jobs("waiting").jids, client.queue("other").jobs("waiting").jids) == (["j1"], ["j2"])


def test_tags(client: Client) -> None:
    client.queue("q").put_many(
        [{"kind": "k", "jid": "a", "tags": ["x", "y"]}, {"kind": "k", "jid": "b", "tags": ["x"]}]
    )
    assert client.tags() == Page(2, [("x", 2), ("y", 1)])
    assert client.tagged("x") == Jids(2, ["a", "b"])
    assert client.tagged("x", 1) == Jids(2, ["b"])


def test_tracked(client: Client) -> None:
    client.queue("q").put_many([{"kind": "k", "jid": "a"}, {"kind": "k", "jid": "b"}])
    client.track(["b", "a"])
    assert client.tracked() == Jids(2, ["a", "b"])


def test_queues(client: Client) -> None:
    for at, name in enumerate(("two", "one")):
        client.config.set("test-clock", 1_000_000 + at)
        client.queue(name).put("k")
    queues = client.queues()
    assert (queues.total, [queue["name"] for queue in queues]) == (2, ["two", "one"])
    assert queues.items[0]["waiting"] == 1


def test_pause_and_forget(client: Client) -> None:
    queue = client.queue("q")
    queue.put("k", jid="a")
    assert (queue.pause(), queue.pause(), queue.counts()["paused"]) == (True, False, True)
    assert queue.reserve() == []
    assert (queue.unpause(), queue.unpause()) == (True, False)
    with pytest.raises(WrongState, match="q"):
        queue.forget()
    client.cancel(["a"])
    assert (queue.forget(), queue.forget()) == (True, False)
    assert client.queues().items == []


def test_workers(client: Client) -> None:
    client.queue("q").put("k", jid="a")
    with Worker(client, ["q"], shutdown_timeout=0) as worker:
        job = worker.next(30)
        assert job is not None
        assert client.worker_jobs(worker.name) == WorkerJobs(1, ["a"], 0)
        while not (workers := client.workers().items):  # until its first pulse
            pass
        (status,) = workers
        assert (status["name"], status["lost"], status["running"], status["stalled"]) == (worker.name, False, 1, 0)
        assert 0 <= status["silent"] < 30
        assert status["status"] is not None
        assert (status["status"]["language"], status["status"]["queues"]) == ("python", ["q"])
        job.complete()
    assert client.deregister([worker.name, "none"]) in (0, 1)  # it may have said goodbye itself
    assert client.deregister([worker.name]) == 0


def test_settings(client: Client) -> None:
    config = client.config
    config.set("heartbeat", 5)
    config.set("heartbeat", 2.5, queue="q")
    settings = config.all()
    assert (settings["values"]["heartbeat"], settings["defaults"]["heartbeat"]) == (5, 60)
    assert settings["queues"] == {"q": {"heartbeat": 2.5}}
    config.unset("heartbeat", queue="q")
    assert config.get("heartbeat", queue="q") == 5
    config.unset("heartbeat")
    assert config.get("heartbeat") == 60
    config.set("events", "all")
    assert config.get("events") == "all"


def test_patterns(client: Client) -> None:
    patterns = client.patterns
    assert patterns.get() == {"identifiers": {}, "priorities": []}
    patterns.set(identifiers={"slow": ["video", "export-*"]})
    patterns.set(priorities=[{"patterns": ["@slow"], "fair": True}, {"patterns": ["*"]}])
    assert patterns.get() == {
        "identifiers": {"slow": ["video", "export-*"]},
        "priorities": [{"patterns": ["@slow"], "fair": True}, {"patterns": ["*"], "fair": False}],
    }
    patterns.set(identifiers={}, priorities=[])
    assert patterns.get() == {"identifiers": {}, "priorities": []}


def test_sweep(client: Client) -> None:
    client.config.set("test-clock", 1_000_000)
    client.queue("q").put("k", jid="a", delay=1.5)
    assert client.sweep() == {"moved": 0, "trimmed": 0, "next_due": 1.5}
    client.config.set("test-clock", 1_002_000)
    assert client.sweep(10) == {"moved": 1, "trimmed": 0, "next_due": None}


def test_check_finds_and_repairs(client: Client, redis: PlainRedis) -> None:
    client.queue("q").put_many([{"kind": "k", "jid": f"j{at}"} for at in range(300)])
    assert client.check() == []
    client.queue("q").put("k", jid="lost")
    redis("ZREM", f"{{{client.namespace}}}:waiting:q", "lost")
    (violation,) = client.check()
    assert (violation["rule"], violation["jid"], violation["repaired"]) == ("missing", "lost", False)
    assert [one["repaired"] for one in client.check(repair=True)] == [True]
    assert client.check() == []
    assert client.queue("q").length() == 301


def test_the_rules_of_check_are_the_engines() -> None:
    files = [ENGINE / "lib" / "agreement.lua", ENGINE / "lib" / "verify.lua"]
    told = re.findall(r"report\('(\w+)'", "".join(file.read_text() for file in files))
    assert set(get_args(get_type_hints(Violation)["rule"])) == set(told)

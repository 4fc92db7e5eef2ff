"""Throttle: limits of named throttles and of queues."""

from __future__ import annotations

from datetime import timedelta

import pytest

from manyhands import Client, Jids, JobNotFound


def test_a_named_throttle(client: Client) -> None:
    throttle = client.throttle("api")
    assert throttle.counts() == {"id": "api", "queue": None, "limit": None, "held": 0, "pending": 0, "expires": None}
    throttle.set(1)
    queue = client.queue("q")
    queue.put_many([{"kind": "k", "jid": jid, "throttles": ["api"]} for jid in ("a", "b", "c")])
    (job,) = queue.reserve(10)
    assert (job.jid, job.throttles, queue.counts()["throttled"]) == ("a", ["api"], 2)
    assert (throttle.limit, throttle.held, throttle.counts()["pending"]) == (1, 1, 2)
    assert (throttle.holders(), throttle.pending(1)) == (Jids(1, ["a"]), Jids(2, ["c"]))
    explanation = client.explain("b")
    assert explanation is not None
    assert explanation["reasons"][0]["holders"] == ["a"]
    assert (throttle.release("c"), throttle.release("c")) == (True, False)
    assert [job.jid for job in queue.reserve(10)] == ["c"]
    job.complete()
    assert [job.jid for job in queue.reserve(10)] == ["b"]
    with pytest.raises(JobNotFound):
        throttle.release("none")


def test_the_throttle_of_a_queue(client: Client) -> None:
    queue = client.queue("q")
    queue.throttle.limit = 2
    queue.put_many([{"kind": "k"}] * 3)
    assert len(queue.reserve(10)) == 2
    assert (queue.throttle.limit, queue.throttle.held) == (2, 2)
    assert queue.throttle.counts()["queue"] == "q"
    queue.throttle.limit = None
    assert queue.throttle.limit is None
    assert len(queue.reserve(10)) == 1
    assert not queue.throttle.delete()


@pytest.mark.parametrize("expires", [1.5, timedelta(seconds=1.5)])
def test_a_limit_that_expires(client: Client, expires: float | timedelta) -> None:
    client.config.set("test-clock", 1_000_000)
    throttle = client.throttle("t")
    throttle.set(0, expires=expires)
    assert throttle.counts()["expires"] == 1.5
    client.queue("q").put("k", throttles=["t"])
    assert client.queue("q").reserve() == []
    client.config.set("test-clock", 1_001_500)
    assert throttle.limit is None
    assert len(client.queue("q").reserve()) == 1


def test_the_list_of_throttles(client: Client) -> None:
    client.throttle("b").set(1)
    client.throttle("a").set(2)
    client.queue("q").throttle.set(3)
    throttles = client.throttles()
    assert throttles.total == 3
    assert {(one["id"], one["queue"], one["limit"]) for one in throttles} == {
        ("a", None, 2),
        ("b", None, 1),
        (None, "q", 3),
    }
    assert client.throttle("a").delete()
    assert client.throttles().total == 2

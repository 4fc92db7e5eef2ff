"""Recurring: jobs that are put every interval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from manyhands import Client, JobNotFound, Recurring


@pytest.fixture(autouse=True)
def _clock(client: Client) -> None:
    client.config.set("test-clock", 1_000_000)


def test_put_recurring(client: Client) -> None:
    queue = client.queue("q")
    recurring = queue.put_recurring(
        "k",
        {"l": []},
        interval=timedelta(minutes=1),
        jid="r",
        offset=5,
        backlog=2,
        priority=3,
        retries=1,
        tags=["x"],
        throttles=["t"],
        route=["n"],
    )
    assert (recurring.jid, recurring.kind, recurring.queue, recurring.raw_data) == ("r", "k", "q", '{"l":[]}')
    assert (recurring.data, recurring.interval, recurring.next_at) == ({"l": []}, 60.0, 1005.0)
    assert (recurring.backlog, recurring.count, recurring.paused) == (2, 0, False)
    assert (recurring.priority, recurring.retries, recurring.tags) == (3, 1, ["x"])
    assert (recurring.throttles, recurring.route) == (["t"], ["n"])
    client.config.set("test-clock", 1_000_000 + 5_000 + 600_000)
    jobs = queue.reserve(100)
    assert [(job.jid, job.parent, job.priority, job.tags) for job in jobs] == [
        ("r-1", "r", 3, ["x"]),
        ("r-2", "r", 3, ["x"]),
    ]


def test_defaults(client: Client) -> None:
    recurring = client.queue("q").put_recurring("k", interval=0.5)
    assert len(recurring.jid) == 32
    assert (recurring.data, recurring.interval, recurring.next_at, recurring.backlog) == (None, 0.5, 1000.0, 0)
    assert (recurring.priority, recurring.retries, recurring.tags, recurring.route) == (0, 5, [], [])


def test_look_up_and_list(client: Client) -> None:
    queue = client.queue("q")
    queue.put_recurring("k", interval=60, jid="b", offset=2)
    queue.put_recurring("k", {"n": 1}, interval=60, jid="a", offset=1)
    page = queue.recurring()
    assert (page.total, [one.jid for one in page], page.items[0].data) == (2, ["a", "b"], {"n": 1})
    assert [one.jid for one in queue.recurring(1, 1)] == ["b"]
    found = client.recurring("b")
    assert found is not None
    assert (found.jid, found.next_at) == ("b", 1002.0)
    assert client.recurring("none") is None


def test_update(client: Client) -> None:
    recurring = client.queue("q").put_recurring("k", 1, interval=60, jid="r", offset=30)
    recurring.update(data=None, queue="other", kind="l", priority=2, retries=0, tags=["y"], backlog=1)
    assert (recurring.raw_data, recurring.queue, recurring.kind, recurring.next_at) == ("null", "other", "l", 1030.0)
    assert (recurring.priority, recurring.retries, recurring.tags, recurring.backlog) == (2, 0, ["y"], 1)
    recurring.update(interval=10)
    assert (recurring.interval, recurring.next_at, recurring.kind) == (10.0, 1010.0, "l")


def test_pause_and_resume(client: Client) -> None:
    recurring = client.queue("q").put_recurring("k", interval=60, jid="r", offset=1)
    assert (recurring.pause(), recurring.pause()) == (True, False)
    assert (recurring.paused, recurring.next_at) == (True, None)
    client.config.set("test-clock", 1_100_000)
    assert client.queue("q").reserve() == []
    assert (recurring.resume(), recurring.resume()) == (True, False)
    assert recurring.next_at == 1121.0


def test_tags(client: Client) -> None:
    recurring = client.queue("q").put_recurring("k", interval=60, tags=["x"])
    assert recurring.tag("y", "x") == ["x", "y"]
    assert recurring.untag("x", "none") == ["y"]
    assert recurring.tags == ["y"]


def test_cancel(client: Client) -> None:
    recurring = client.queue("q").put_recurring("k", interval=60, jid="r")
    client.queue("q").reserve()
    assert (recurring.cancel(), recurring.cancel()) == (True, False)
    assert client.job("r-1") is not None
    assert client.recurring("r") is None


def test_a_cancelled_one_is_still_what_it_was(client: Client) -> None:
    recurring = client.queue("q").put_recurring("k", {"n": 1}, interval=60, jid="r")
    twin = client.recurring("r")
    assert twin is not None
    assert recurring.data == {"n": 1}
    assert recurring.cancel()
    with pytest.raises(JobNotFound):
        twin.update(priority=1)
    for one in (recurring, twin):
        assert (one.kind, one.queue, one.data, one.interval) == ("k", "q", {"n": 1}, 60.0)


GONE: list[Callable[[Recurring], object]] = [
    lambda recurring: recurring.kind,
    lambda recurring: recurring.update(priority=1),
    lambda recurring: recurring.tag("t"),
    lambda recurring: recurring.untag("t"),
    lambda recurring: recurring.pause(),
    lambda recurring: recurring.resume(),
]


@pytest.mark.parametrize("act", GONE)
def test_one_that_is_no_more(client: Client, act: Callable[[Recurring], object]) -> None:
    recurring = client.queue("q").put_recurring("k", interval=60, jid="r")
    recurring.cancel()
    with pytest.raises(JobNotFound, match="r"):
        act(recurring)

"""Events: an iterator and a context manager over what happens to jobs."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from plain_redis import PlainRedis

from manyhands import Client, Closed, Event


def happen(client: Client, jid: str) -> None:
    """A job put, reserved and completed."""
    client.queue("q").put("k", jid=jid)
    (job,) = client.queue("q").reserve()
    job.complete()


def test_the_life_of_a_tracked_job(client: Client) -> None:
    client.queue("q").put("k", jid="a")
    with client.events() as events:
        client.track(["a"])
        (job,) = client.queue("q").reserve()
        happen(client, "not-tracked")
        job.retry(60)
        client.cancel(["a"])
        heard = [events.next(10) for _ in range(4)]
    assert [event and (event.event, event.jid) for event in heard] == [
        ("track", "a"),
        ("reserved", "a"),
        ("scheduled", "a"),
        ("cancelled", "a"),
    ]
    assert heard[1] == Event("reserved", "a", "q", "k", job.worker, heard[1].at if heard[1] else 0)
    assert heard[1] is not None
    assert heard[1].at == pytest.approx(job.put_at, abs=60)


def test_all_jobs_and_chosen_events(client: Client) -> None:
    client.config.set("events", "all")
    with client.events() as every, client.events("completed", "failed") as ends:
        happen(client, "a")
        assert [next(every).event for _ in range(3)] == ["put", "reserved", "completed"]
        assert next(ends).event == "completed"
        assert ends.next(0) is None


def test_the_channel_of_a_worker(client: Client) -> None:
    client.queue("q").put("k", jid="a")
    (job,) = client.queue("q").reserve()
    with client.events(worker=job.worker) as events:
        happen(client, "another")
        job.cancel()
        event = next(events)
    assert (event.event, event.jid, event.worker) == ("cancelled", "a", job.worker)


@pytest.mark.parametrize("timeout", [0, 0.05, timedelta(milliseconds=50)])
def test_a_wait_that_ends(client: Client, timeout: float | timedelta) -> None:
    with client.events() as events:
        assert events.next(timeout) is None
        assert not events.closed


def test_close_ends_the_loop_of_another_thread(client: Client) -> None:
    client.config.set("events", "all")
    events = client.events("put")
    heard: list[str] = []
    first = threading.Event()

    def listen() -> None:
        for event in events:
            heard.append(event.jid)
            first.set()

    thread = threading.Thread(target=listen)
    thread.start()
    client.queue("q").put("k", jid="a")
    first.wait(10)
    events.close()
    thread.join(10)
    assert not thread.is_alive()
    assert heard == ["a"]
    assert events.closed
    assert list(events) == []
    events.close()


def test_close_of_the_client_ends_it_too(client: Client) -> None:
    events = client.events()
    client.close()
    assert events.closed
    assert list(events) == []
    with pytest.raises(Closed):
        client.events()


def test_what_happens_while_the_connection_is_away(client: Client, redis: PlainRedis) -> None:
    client.config.set("events", "all")
    with client.events("put") as events:
        client.queue("q").put("k", jid="before")
        assert next(events).jid == "before"
        redis("CLIENT", "KILL", "TYPE", "pubsub")
        client.queue("q").put_many([{"kind": "k", "jid": jid} for jid in ("meanwhile", "meanwhile too")])
        assert [next(events).jid for _ in range(2)] == ["meanwhile", "meanwhile too"]
        client.queue("q").put("k", jid="after")
        assert next(events).jid == "after"
        assert events.gaps == 0


def test_what_cannot_be_known_is_counted(client: Client, redis: PlainRedis) -> None:
    client.queue("q").put("k", jid="a")
    with client.events() as events:
        redis("CLIENT", "KILL", "TYPE", "pubsub")
        client.track(["a"])
        while events.gaps == 0:
            assert events.next(0.1) is None
        client.untrack(["a"])
        assert next(events).event == "untrack"
        assert events.gaps == 1

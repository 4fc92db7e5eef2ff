"""Job: what anybody may do with one, dependencies among them; and what its holder says meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from manyhands import (
    Client,
    Cycle,
    HasDependents,
    Job,
    JobNotFound,
    LockLost,
    Placed,
    UnknownDependency,
    WrongState,
)


def put(client: Client, jid: str = "a", **options: object) -> Job:
    """A job that nobody holds, looked up."""
    client.queue("q").put("k", {"n": 1}, jid=jid, **options)  # type: ignore[arg-type]
    return found(client, jid)


def taken(client: Client, **options: object) -> Job:
    """A job that this test holds."""
    put(client, **options)  # type: ignore[arg-type]
    (job,) = client.queue("q").reserve()
    return job


def found(client: Client, jid: str) -> Job:
    """The job as Redis has it now."""
    job = client.job(jid)
    assert job is not None
    return job


def test_cancel(client: Client) -> None:
    job = taken(client)
    assert found(client, "a").cancel()
    assert not job.cancel()
    assert client.job("a") is None
    with pytest.raises(LockLost) as caught:
        job.complete()
    assert caught.value.reason == "cancelled"


def test_cancel_many_in_any_order(client: Client) -> None:
    put(client, "a")
    put(client, "b", dependencies=["a"])
    with pytest.raises(HasDependents, match="b waits for a"):
        client.cancel(["a"])
    assert client.cancel(jid for jid in ("a", "b", "none")) == ["a", "b"]


def test_requeue(client: Client) -> None:
    job = put(client, retries=1, tags=["old"])
    state = job.requeue(
        "other", data={"l": []}, delay=60, priority=7, retries=9, tags=["new", "new"], throttles=["t", "t"], route=["r"]
    )
    assert (state, job.state) == ("scheduled", "scheduled")
    now = found(client, "a")
    assert (now.queue, now.raw_data, now.priority, now.retries, now.remaining) == ("other", '{"l":[]}', 7, 9, 9)
    assert (now.tags, now.throttles, now.route) == (["new"], ["t"], ["r"])
    assert now.due_at == pytest.approx(now.put_at + 60)
    assert (job.queue, job.raw_data, job.priority, job.retries, job.remaining) == ("other", '{"l":[]}', 7, 9, 9)
    assert (job.data, job.tags, job.throttles, job.route) == ({"l": []}, ["new"], ["t"], ["r"])
    assert job.due_at == now.due_at
    assert now.requeue() == "waiting"
    assert found(client, "a").queue == "other"
    put(client, "b")
    assert now.requeue(dependencies=["b"]) == "blocked"


def test_who_runs_a_requeued_job_loses_it(client: Client) -> None:
    job = taken(client)
    seen = found(client, "a")
    assert seen.requeue() == "waiting"
    assert (seen.state, seen.in_hand, job.in_hand) == ("waiting", False, True)
    with pytest.raises(LockLost):
        job.complete()
    assert found(client, "a").state == "waiting"


ENDS: list[tuple[Callable[[Job], object], str]] = [
    (Job.cancel, "cancelled"),
    (Job.requeue, "waiting"),
    (Job.timeout, "waiting"),
]


@pytest.mark.parametrize(("act", "state"), ENDS)
def test_who_holds_a_job_may_end_it_so(client: Client, act: Callable[[Job], object], state: str) -> None:
    job = taken(client)
    act(job)
    assert (job.in_hand, job.state) == (False, state)
    with pytest.raises(WrongState, match=state):
        job.complete()
    put(client, "b")
    with pytest.raises(WrongState):
        job.heartbeat()


def test_a_job_that_was_looked_up_is_in_nobodys_hand(client: Client) -> None:
    taken(client)
    seen = found(client, "a")
    assert (seen.state, seen.in_hand) == ("running", False)
    client.queue("q").put("k", jid="a", on_conflict="move")
    seen.log("seen by somebody else")
    assert found(client, "a").history[-1]["message"] == "seen by somebody else"


def test_prioritize(client: Client) -> None:
    put(client, "a")
    job = put(client, "b")
    job.prioritize(5)
    assert job.priority == 5
    assert client.queue("q").jobs("waiting").jids == ["b", "a"]


def test_tags(client: Client) -> None:
    job = put(client, tags=["x"])
    assert job.tag("y", "x") == ["x", "y"]
    assert client.tagged("y").jids == ["a"]
    assert job.untag("x", "none") == ["y"]
    assert job.tags == ["y"]
    assert found(client, "a").tags == ["y"]


def test_tracking(client: Client) -> None:
    job = put(client)
    assert not job.tracked
    assert (job.track(), job.track(), job.tracked) == (True, False, True)
    assert found(client, "a").tracked
    assert (job.untrack(), job.untrack(), job.tracked) == (True, False, False)
    assert client.track(["a", "none"]) == 1
    assert client.untrack(["a"]) == 1


def test_dependencies_of_a_put(client: Client) -> None:
    queue = client.queue("q")
    assert queue.put("k", jid="a") == Placed("a", "put")
    assert queue.put("k", jid="b", dependencies=["a", "none"]) == Placed("b", "put", ("none",))
    assert queue.put_many([{"kind": "k", "jid": "c", "dependencies": ["b"]}]) == [Placed("c", "put")]
    with pytest.raises(UnknownDependency, match="none"):
        queue.put("k", dependencies=["none"], missing="reject")
    job = found(client, "b")
    assert (job.state, job.dependencies, job.dependents) == ("blocked", ["a"], ["c"])
    (first,) = queue.reserve(10)
    first.complete()
    assert found(client, "b").state == "waiting"


def test_depend_and_undepend(client: Client) -> None:
    for jid in ("a", "b", "c"):
        put(client, jid)
    job = found(client, "a")
    assert job.depend("b", "none") == ["none"]
    assert job.depend("c") == []
    assert job.dependencies == ["b", "c"]
    with pytest.raises(Cycle):
        found(client, "b").depend("a")
    with pytest.raises(UnknownDependency):
        job.depend("none", missing="reject")
    assert job.undepend("b") == "blocked"
    assert job.undepend(all=True) == "waiting"
    assert (job.state, job.dependencies) == ("waiting", [])
    (running,) = client.queue("q").reserve()
    with pytest.raises(WrongState):
        running.depend("c")


def test_complete_into_a_queue_with_dependencies(client: Client) -> None:
    job = taken(client)
    put(client, "b")
    assert job.complete(queue="next", dependencies=["b"]) == "blocked"
    assert found(client, "a").dependencies == ["b"]


def test_timeout_ends_the_lease(client: Client) -> None:
    job = taken(client, retries=1)
    assert found(client, "a").timeout() == "waiting"
    assert found(client, "a").remaining == 0
    with pytest.raises(LockLost):
        job.heartbeat()
    with pytest.raises(WrongState):
        found(client, "a").timeout()
    client.queue("q").reserve()
    assert found(client, "a").timeout() == "failed"


def test_log(client: Client) -> None:
    put(client).log("seen")
    (job,) = client.queue("q").reserve()
    job.log("read", {"took_ms": 5, "l": []})
    logged = [entry for entry in job.history if entry["what"] == "log"]
    assert [(entry["message"], entry["data"]) for entry in logged] == [
        ("seen", None),
        ("read", {"took_ms": 5, "l": []}),
    ]
    assert all(entry["at"] == pytest.approx(job.put_at, abs=60) for entry in logged)
    client.queue("q").put("k", jid="a", on_conflict="move")
    with pytest.raises(LockLost):
        job.log("too late")


def test_progress(client: Client) -> None:
    job = taken(client)
    assert job.progressed is None
    job.progress(0.25, "a quarter")
    progress = found(client, "a").progressed
    assert progress is not None
    assert (progress["value"], progress["note"]) == (0.25, "a quarter")
    assert progress["at"] == pytest.approx(job.put_at, abs=60)


def test_heartbeat_with_data(client: Client) -> None:
    client.config.set("heartbeat", 2.5)
    job = taken(client)
    assert job.heartbeat(data={"l": [], "n": 12345678901234567}) == 2.5
    assert job.data == {"l": [], "n": 12345678901234567}
    assert found(client, "a").raw_data == '{"l":[],"n":12345678901234567}'
    assert job.heartbeat(None) == 2.5
    assert found(client, "a").raw_data == "null"
    job.timeout()
    (again,) = client.queue("q").reserve()
    assert again.data is None


def test_explain(client: Client) -> None:
    put(client, "a")
    job = put(client, "b", delay=0)
    client.queue("q").pause()
    explanation = job.explain()
    assert explanation is not None
    assert (explanation["state"], explanation["queue"], explanation["position"]) == ("waiting", "q", 1)
    assert [reason["why"] for reason in explanation["reasons"]] == ["paused", "no-worker"]
    later = put(client, "c", delay=60).explain()
    assert later is not None
    assert later["reasons"][0]["due_in"] == pytest.approx(60, abs=5)
    assert client.explain("none") is None


def test_parent(client: Client) -> None:
    client.queue("q").put_recurring("k", interval=60, jid="r")
    (job,) = client.queue("q").reserve()
    assert (job.jid, job.parent) == ("r-1", "r")


GONE: list[Callable[[Job], object]] = [
    lambda job: job.requeue(),
    lambda job: job.prioritize(1),
    lambda job: job.tag("t"),
    lambda job: job.untag("t"),
    lambda job: job.depend("b"),
    lambda job: job.undepend("b"),
    lambda job: job.timeout(),
    lambda job: job.log("m"),
]


@pytest.mark.parametrize("act", GONE)
def test_a_job_that_is_no_more(client: Client, act: Callable[[Job], object]) -> None:
    job = put(client)
    job.cancel()
    with pytest.raises(JobNotFound) as caught:
        act(job)
    assert caught.value.operation is not None
    assert job.explain() is None
    assert not job.track()

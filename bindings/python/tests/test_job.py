"""Job: the ways to end it, its fields, stale tokens."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest

from manyhands import Backoff, Client, InvalidArgument, Job, LockLost, Worker, WrongState


def taken(client: Client, **options: object) -> Job:
    """A job that this test holds."""
    client.queue("q").put("k", {"n": 1}, **options)  # type: ignore[arg-type]
    (job,) = client.queue("q").reserve()
    return job


def found(client: Client, job: Job) -> Job:
    """The same job as Redis has it now."""
    view = client.job(job.jid)
    assert view is not None
    return view


def test_complete(client: Client) -> None:
    job = taken(client)
    assert job.in_hand
    assert job.complete({"sum": 3}) == "completed"
    assert (job.in_hand, job.state) == (False, "completed")
    view = found(client, job)
    assert (view.state, view.result, view.token) == ("completed", {"sum": 3}, None)
    assert [entry["what"] for entry in view.history] == ["put", "reserved", "completed"]
    assert all(entry["at"] == pytest.approx(view.put_at, abs=60) for entry in view.history)


def test_complete_into_the_next_queue(client: Client) -> None:
    job = taken(client, route=["two"])
    assert job.complete(data={"n": 2}) == "waiting"
    (job,) = client.queue("two").reserve()
    assert (job.queue, job.data, job.route) == ("two", {"n": 2}, [])
    assert job.complete(queue="three", delay=60) == "scheduled"
    view = found(client, job)
    assert (view.queue, view.state) == ("three", "scheduled")
    assert view.due_at is not None


def test_assigned_data_goes_along(client: Client) -> None:
    job = taken(client, route=["two"])
    job.data = {**job.data, "é": "😀"}
    assert job.raw_data == '{"n":1,"é":"😀"}'
    job.complete()
    (job,) = client.queue("two").reserve()
    assert job.raw_data == '{"n":1,"é":"😀"}'


def test_assigned_data_goes_along_as_it_was_assigned(client: Client) -> None:
    job = taken(client, route=["two"])
    data = {"n": 2}
    job.data = data
    data["n"] = 3
    job.data["n"] = 4
    assert job.raw_data == '{"n":2}'
    job.complete()
    (job,) = client.queue("two").reserve()
    assert job.raw_data == '{"n":2}'


def test_fail(client: Client) -> None:
    job = taken(client, retries=5)
    assert job.fail("broken", "what happened", "where") == "failed"
    view = found(client, job)
    assert view.state == "failed"
    assert view.failure is not None
    assert (view.failure["group"], view.failure["message"], view.failure["trace"]) == (
        "broken",
        "what happened",
        "where",
    )
    assert view.failure["at"] == pytest.approx(view.put_at, abs=60)


def test_retry_spends_a_retry(client: Client) -> None:
    job = taken(client, retries=1)
    assert job.retry() == "waiting"
    (job,) = client.queue("q").reserve()
    assert (job.retries, job.remaining) == (1, 0)
    assert job.retry(60, group="tired", message="enough") == "failed"
    failure = found(client, job).failure
    assert failure is not None
    assert (failure["group"], failure["message"]) == ("tired", "enough")


def test_snooze_and_release_spend_nothing(client: Client) -> None:
    job = taken(client, retries=1)
    assert job.release() == "waiting"
    (job,) = client.queue("q").reserve()
    assert job.remaining == 1
    assert job.snooze(60) == "scheduled"
    assert found(client, job).remaining == 1


def test_heartbeat_answers_seconds(client: Client) -> None:
    client.config.set("heartbeat", 2.5)
    job = taken(client)
    assert job.heartbeat() == 2.5
    assert job.lease_until is not None
    assert job.lease_until > job.put_at


ENDS: list[Callable[[Job], object]] = [
    Job.complete,
    Job.retry,
    Job.release,
    Job.heartbeat,
    lambda job: job.fail("group"),
    lambda job: job.snooze(1),
]


@pytest.mark.parametrize("act", ENDS)
def test_a_stale_token_is_refused(client: Client, act: Callable[[Job], object]) -> None:
    job = taken(client)
    client.queue("q").put("k", jid=job.jid, on_conflict="move")
    with pytest.raises(LockLost) as caught:
        act(job)
    error = caught.value
    assert (error.code, error.jid, error.reason, error.retryable) == (201, job.jid, "replaced", False)
    assert error.operation is not None
    assert found(client, job).state == "waiting"


def test_an_expired_lease_is_lost_to_the_next(client: Client) -> None:
    client.config.set("test-clock", 1_000_000)
    job = taken(client)
    client.config.set("test-clock", 1_000_000 + 60_000 + 1)
    client.call("sweep")
    client.config.set("test-clock", 1_000_000 + 75_000)
    (again,) = client.queue("q").reserve()
    assert again.jid == job.jid
    with pytest.raises(LockLost) as caught:
        job.complete()
    assert caught.value.reason == "expired"
    assert again.complete() == "completed"


def test_finished_twice(client: Client) -> None:
    job = taken(client)
    twin = found(client, job)
    assert not twin.in_hand
    assert twin.complete() == "completed"
    with pytest.raises(LockLost) as caught:
        job.complete()
    assert caught.value.reason == "finished"
    with pytest.raises(WrongState, match=job.jid):
        twin.complete()


BAD_ENDS: list[tuple[Callable[[Job], object], str]] = [
    (lambda job: job.complete(object()), "result"),
    (lambda job: job.complete(float("nan")), "result"),
    (lambda job: job.complete(data=object()), "data"),
    (lambda job: job.complete(delay=-1), "delay"),
    (lambda job: job.complete(queue=""), "queue"),
    (lambda job: job.fail(""), "group"),
    (lambda job: job.retry(float("inf")), "delay"),
    (lambda job: job.snooze(-1), "delay"),
    (lambda job: setattr(job, "data", {1, 2}), "data"),
]


@pytest.mark.parametrize(("act", "argument"), BAD_ENDS)
def test_bad_arguments_leave_the_job_in_hand(client: Client, act: Callable[[Job], object], argument: str) -> None:
    job = taken(client)
    with pytest.raises(InvalidArgument, match=argument) as caught:
        act(job)
    assert caught.value.code == 100
    assert job.complete() == "completed"


def test_details_are_read_when_asked_for(client: Client) -> None:
    job = taken(client)
    assert job.failure is None
    assert job.result is None
    assert [entry["what"] for entry in job.history] == ["put", "reserved"]


LISTS = {name: [f"{name}-1", f"{name}-2"] for name in ("tags", "route", "throttles")}


def test_a_taken_and_a_found_job_have_the_same_fields_each_in_its_place(client: Client) -> None:
    options: dict[str, Any] = {**LISTS, "priority": 3, "retries": 7, "headers": {"name": "text"}}
    queue = client.queue("q")
    queue.put_recurring("k", {"n": 1}, jid="r", interval=600, timeout=90, backoff=Backoff.fixed(11), **options)
    (job,) = queue.reserve(worker="first")
    job.track()
    job.retry()
    (job,) = queue.reserve(worker="second")
    with Worker(client, ["q"]) as worker:
        assert job.release() == "waiting"
        of_worker = worker.next(10)
        assert of_worker is not None
        assert_fields(of_worker, found(client, of_worker), worker.name)
        of_worker.release()
    (job,) = queue.reserve(worker="third")
    assert_fields(job, found(client, job), "third")


def assert_fields(taken: Job, found: Job, worker: str) -> None:
    """Each field of a job that was put with all of them, as one who takes it and one who looks it up have it."""
    assert taken.put_at == found.put_at == pytest.approx(time.time(), abs=60)
    assert taken.token == found.token
    assert len(taken.token or "") > 8
    for job in (taken, found):
        assert (job.jid, job.kind, job.queue, job.raw_data, job.data) == ("r-1", "k", "q", '{"n":1}', {"n": 1})
        assert (job.priority, job.retries, job.remaining, job.worker) == (3, 7, 6, worker)
        assert {name: getattr(job, name) for name in LISTS} == LISTS
        assert (job.headers, job.parent, job.tracked) == ({"name": "text"}, "r", True)
        assert (job.run_timeout, job.backoff) == (90.0, Backoff.fixed(11))
        assert (job.state, job.stalled) == ("running", False)


def test_jobs_share_the_texts_that_they_have_in_common(client: Client) -> None:
    for queue in ("q", "r"):
        client.queue(queue).put_many([{"kind": kind} for kind in "aaba"])
    with Worker(client, ["q"]) as one, Worker(client, ["r"]) as other:
        taken = [(one.next(10), other.next(10)) for _ in range(4)]  # in turn
        for worker, queue, jobs in zip((one, other), "qr", zip(*taken)):
            held = [job for job in jobs if job is not None]
            assert [job.kind for job in held] == list("aaba")
            assert {job.queue for job in held} == {queue}
            assert {job.worker for job in held} == {worker.name}
            assert held[0].kind is held[1].kind
            assert len({id(job.queue) for job in held}) == len({id(job.worker) for job in held}) == 1
            assert [job.token for job in held] == [found(client, job).token for job in held]
            assert [job.complete() for job in held] == ["completed"] * 4


def test_jobs_that_are_reserved_together_share_theirs(client: Client) -> None:
    client.queue("q").put_many([{"kind": kind} for kind in "aaba"])
    jobs = client.queue("q").reserve(4)
    assert [(job.kind, job.queue) for job in jobs] == [(kind, "q") for kind in "aaba"]
    assert jobs[0].kind is jobs[1].kind
    for name in ("queue", "worker", "token"):
        assert len({id(getattr(job, name)) for job in jobs}) == 1, name
    assert [job.complete() for job in jobs] == ["completed"] * 4


def test_a_job_nobody_holds(client: Client) -> None:
    view = client.job(client.queue("q").put("k").jid)
    assert view is not None
    assert (view.state, view.worker, view.token, view.in_hand) == ("waiting", None, None, False)
    with pytest.raises(WrongState, match="waiting"):
        view.complete()
    assert client.job("there is none") is None


def test_a_job_without_a_server() -> None:
    job = Job.build("resize", {"width": 3}, tags=["a"])
    assert (job.kind, job.data, job.tags, job.history, job.result) == ("resize", {"width": 3}, ["a"], [], None)
    for act in (job.complete, lambda: job.progress(0.5), lambda: job.log("half")):
        with pytest.raises(WrongState, match="job built has no server: it was built or copied"):
            act()


COPIES: list[Callable[[Job], Job]] = [copy.copy, copy.deepcopy, lambda job: pickle.loads(pickle.dumps(job))]


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_is_a_picture(client: Client, copied: Callable[[Job], Job]) -> None:
    client.queue("w").put("k", {"n": 1})
    with Worker(client, ["w"]) as worker:
        of_worker, of_client = worker.next(10), taken(client, tags=["a"])
        assert of_worker is not None
        for job in (of_worker, of_client, found(client, of_client), Job.build("k", {"n": 1})):
            picture = copied(job)
            assert (picture.jid, picture.data, picture.raw_data) == (job.jid, {"n": 1}, '{"n":1}')
            assert (picture.tags, picture.state, picture.in_hand, picture.lost) == (job.tags, job.state, False, None)
            for act in (picture.complete, picture.cancel, picture.heartbeat):
                with pytest.raises(WrongState, match=job.jid):
                    act()
        assert [entry["what"] for entry in copied(found(client, of_client)).history] == ["put", "reserved"]
        of_worker.data = {"n": 2}
        assert copied(of_worker).data == {"n": 2}
        assert (of_worker.complete(), of_client.complete()) == ("completed", "completed")

"""What handlers make of their jobs: results, exceptions, outcomes, jobs they end themselves."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Callable

import pytest
from performing import found, perform, raising

import manyhands
from manyhands import (
    Client,
    Fail,
    InvalidArgument,
    Job,
    LockLost,
    Retry,
    RetryRules,
    Snooze,
    Worker,
)


def test_what_a_handler_returns_is_the_result(client: Client) -> None:
    placed = client.queue("q").put("work", {"n": 20}, route=["two"])
    worker = perform(client, lambda job: {"double": job.data["n"] * 2})
    job = found(client, placed.jid)
    assert (job.queue, job.state, job.result) == ("two", "waiting", {"double": 40})
    assert [entry["what"] for entry in job.history] == ["put", "reserved", "completed", "put"]
    assert job.history[1]["worker"] == worker.name


def test_assigned_data_goes_along(client: Client) -> None:
    placed = client.queue("q").put("work", {"n": 1}, route=["two"])

    def handler(job: Job) -> None:
        job.data = {"n": 2}

    perform(client, handler)
    job = found(client, placed.jid)
    assert (job.data, job.result) == ({"n": 2}, None)


def test_an_exception_is_a_retry_then_a_failure(client: Client) -> None:
    placed = client.queue("q").put("work", retries=1)
    perform(client, raising(ValueError("no such width")))
    job = found(client, placed.jid)
    assert (job.state, job.remaining) == ("scheduled", 0)
    assert job.due_at is not None

    client.config.set("test-clock", int(job.due_at * 1000) + 1)
    perform(client, raising(KeyError("é\udcff")))
    job = found(client, placed.jid)
    assert job.failure is not None
    assert (job.state, job.failure["group"]) == ("failed", "work:KeyError")
    assert "é\\udcff" in job.failure["message"]
    assert "in handler" in job.failure["trace"]


def test_an_exception_that_cannot_be_printed(client: Client) -> None:
    class RudeError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    placed = client.queue("q").put("work", retries=0)
    perform(client, raising(RudeError()))
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert failure["group"] == "work:RudeError"


@pytest.mark.parametrize("result", [None, 0, -1.5, False, "", "é😀", [], {}, {"sum": 3}, {"result": None}])
def test_any_result_is_kept_as_it_is(client: Client, result: object) -> None:
    placed = client.queue("q").put("work")
    perform(client, lambda _job: result)
    job = found(client, placed.jid)
    assert (job.state, job.result, type(job.result)) == ("completed", result, type(result))


def nested(levels: int) -> list[object]:
    """Lists within lists."""
    within: list[object] = []
    for _ in range(levels):
        within = [within]
    return within


@pytest.mark.parametrize("result", [object(), float("nan"), "\ud800", b"bytes", nested(100_000)], ids=type)
def test_a_result_that_is_not_json_is_an_exception(client: Client, result: object) -> None:
    placed = client.queue("q").put("work", retries=0)
    perform(client, lambda _job: result)
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert failure["group"] == "work:INVALID_ARGUMENT"
    assert "result is not JSON" in failure["message"]


def test_a_result_that_the_engine_refuses_is_an_exception(client: Client) -> None:
    placed = client.queue("q").put("work", retries=0)
    perform(client, lambda _job: "x" * 3 * 1024 * 1024)
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert failure["group"] == "work:INVALID_ARGUMENT"
    assert "result" in failure["message"]


class OwnError(manyhands.Error):
    """An application's error that happens to extend ours."""


def test_a_refused_call_in_a_handler_is_grouped_by_its_code(client: Client) -> None:
    placed = client.queue("q").put("work", retries=0)
    perform(client, lambda job: job.complete(queue=""))
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert failure["group"] == "work:INVALID_ARGUMENT"
    assert "queue is empty" in failure["message"]


def test_a_delay_before_no_queue_refuses_nothing(client: Client) -> None:
    placed = client.queue("q").put("work", retries=0)
    perform(client, lambda job: job.complete("done", delay=60))
    job = found(client, placed.jid)
    assert (job.state, job.result) == ("completed", "done")


def test_outcomes_raised_by_handlers(client: Client) -> None:
    queue = client.queue("q")
    jids = [placed.jid for placed in queue.put_many([{"kind": "work", "retries": 3}] * 3)]
    outcomes = dict(zip(jids, [Fail("broken", "what", "where"), Retry(60), Snooze(60)]))

    def handler(job: Job) -> None:
        raise outcomes[job.jid]

    perform(client, handler, jobs=3)
    failed, retried, snoozed = (found(client, jid) for jid in jids)
    assert failed.failure is not None
    assert (failed.state, failed.failure["group"], failed.failure["message"]) == ("failed", "broken", "what")
    assert (retried.state, retried.remaining) == ("scheduled", 2)
    assert (snoozed.state, snoozed.remaining) == ("scheduled", 3)


def test_outcomes_check_their_arguments(client: Client) -> None:
    for wrong in (lambda: Retry(-1), lambda: Snooze(float("nan")), lambda: Retry("soon")):  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match="delay"):
            wrong()
    placed = client.queue("q").put("work", retries=0)
    perform(client, raising(Fail("g" * 300)))
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert failure["group"] == "work:INVALID_ARGUMENT"
    assert "group" in failure["message"]


def test_a_handler_may_end_its_job_itself(client: Client) -> None:
    placed = client.queue("q").put("work")
    perform(client, lambda job: job.complete("mine") and "ignored")
    assert found(client, placed.jid).result == "mine"


def test_a_handler_may_say_why_its_job_runs_again(client: Client) -> None:
    placed = client.queue("q").put("work", retries=0)
    perform(client, lambda job: job.retry(group="tired", message="enough"))
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert (failure["group"], failure["message"]) == ("tired", "enough")


REFUSED_ENDS: list[tuple[Callable[[Client, Job], object], str, str]] = [
    (lambda _, job: job.complete("x" * (1 << 20)), "scheduled", "INVALID_ARGUMENT"),
    (lambda _, job: job.complete(queue="next", dependencies=["waits"]), "scheduled", "CYCLE"),
    (lambda client, job: client.queue("r").put("k", jid=job.jid, on_conflict="move") and job.complete(), "waiting", ""),
]


@pytest.mark.parametrize(("act", "state", "code"), REFUSED_ENDS)
def test_a_worker_outlives_a_handler_whose_end_was_refused(
    client: Client, act: Callable[[Client, Job], object], state: str, code: str
) -> None:
    queue = client.queue("q")
    refused, good = queue.put("work", jid="refused"), queue.put("work")
    queue.put("k", jid="waits", dependencies=["refused"])
    perform(client, lambda job: act(client, job) if job.jid == refused.jid else "good", jobs=2)
    assert found(client, good.jid).result == "good"
    job = found(client, refused.jid)
    assert job.state == state
    assert (job.failure["group"] if job.failure else "") == (code and f"work:{code}")


def test_an_unknown_kind_fails_when_nobody_knows_it(client: Client) -> None:
    queue = client.queue("q")
    unknown = queue.put("unknown", priority=1)
    known = queue.put("work")
    perform(client, lambda _job: None)
    assert found(client, known.jid).state == "completed"
    job = found(client, unknown.jid)
    assert job.failure is not None
    assert (job.state, job.failure["group"]) == ("failed", "unknown-kind:unknown")


@pytest.mark.parametrize(
    ("error", "group"),
    [
        (LockLost("another one's"), "LOCK_LOST"),
        (manyhands.Unavailable("for now"), "UNAVAILABLE"),
        (OwnError("mine"), "OwnError"),
        (KeyError("k"), "KeyError"),
    ],
)
def test_our_own_errors_are_grouped_by_their_code(client: Client, error: Exception, group: str) -> None:
    placed = client.queue("q").put("work", retries=0)
    perform(client, raising(error))
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert failure["group"] == f"work:{group}"


@pytest.mark.parametrize(
    ("act", "state"), [(Job.cancel, None), (lambda job: job.requeue("next"), "waiting"), (Job.timeout, "failed")]
)
def test_a_handler_may_cancel_move_or_time_out_its_job(
    client: Client, caplog: pytest.LogCaptureFixture, act: Callable[[Job], object], state: str | None
) -> None:
    queue = client.queue("q")
    queue.put_many([{"kind": "work", "jid": "a", "retries": 0}, {"kind": "work", "jid": "b"}])
    worker = Worker(client, ["q"])
    lost: list[str] = []
    worker.on_lock_lost(lambda job, reason: lost.append(f"{job.jid} {reason}"))

    @worker.perform("work")
    def work(job: Job) -> str:
        if job.jid == "a":
            act(job)
        else:
            worker.stop()
        return "result"

    with caplog.at_level(logging.WARNING, "manyhands"):
        worker.run()
    job = client.job("a")
    assert (job and job.state) == state
    assert found(client, "b").result == "result"
    assert (lost, caplog.text) == ([], "")


class Large:
    """What a handler has in its hands."""


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("error", [LookupError, lambda: Fail("group"), lambda: Snooze(60)])
def test_what_was_raised_goes_with_its_job(
    client: Client, caplog: pytest.LogCaptureFixture, error: Callable[[], Exception], asynchronous: bool
) -> None:
    """Its frames hold the handler's variables, and no cycle holds them until some later collection."""
    caplog.set_level(logging.CRITICAL, "manyhands")  # whoever keeps records keeps what they tell of
    queue = client.queue("q")
    queue.put_many([{"kind": "raises", "priority": 1}, {"kind": "looks"}])
    worker = Worker(client, ["q"])
    worker.use(RetryRules(retry_on={LookupError: 60}))
    seen: list[weakref.ref[Large]] = []
    left: list[Large | None] = []

    def raises(_job: Job) -> None:
        large = Large()
        seen.append(weakref.ref(large))
        raise error()

    async def raises_too(job: Job) -> None:
        raises(job)

    worker.perform("raises")(raises_too if asynchronous else raises)

    @worker.perform("looks")
    def looks(_job: Job) -> None:
        left.extend(it() for it in seen)
        worker.stop()

    gc.disable()
    try:
        worker.run()
    finally:
        gc.enable()
    assert left == [None]


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
def test_an_exception_of_any_base_is_the_affair_of_its_job(client: Client, error: BaseException) -> None:
    placed = client.queue("q").put("work", retries=0)
    perform(client, raising(error))
    failure = found(client, placed.jid).failure
    assert failure is not None
    assert failure["group"] == f"work:{type(error).__name__}"

"""Retry rules by class of exception, and backoffs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import manyhands
from manyhands import Backoff, Client, InvalidArgument, Job, RetryRules, Worker
from manyhands.testing import drain


def after(client: Client, worker: Worker, error: Exception, **options: Any) -> tuple[str, int, float | None, str]:
    """What became of a job whose handler raised: its state, retries left, seconds until due, failure group."""
    client.config.set("test-clock", 1_000_000)
    placed = client.queue("q").put("k", **options)

    def handler(_job: Job) -> None:
        raise error

    worker.perform("k")(handler)
    drain(worker, raises=False)
    job = client.job(placed.jid)
    assert job is not None
    assert job.failure is not None
    return job.state, job.remaining, job.due_at and round(job.due_at - 1_000, 3), job.failure["group"]


def test_the_first_rule_that_fits_counts(client: Client) -> None:
    def ruled() -> Worker:
        worker = Worker(client, ["q"])
        rules: dict[type[Exception], Any] = {ConnectionError: [1, 10], OSError: 30, LookupError: lambda errors: errors}
        worker.use(RetryRules(retry_on=rules, discard_on=[KeyError]))
        return worker

    assert after(client, ruled(), ConnectionResetError()) == ("scheduled", 4, 1, "k:ConnectionResetError")
    assert after(client, ruled(), TimeoutError()) == ("scheduled", 4, 30, "k:TimeoutError")
    assert after(client, ruled(), IndexError()) == ("scheduled", 4, 1, "k:IndexError")
    assert after(client, ruled(), KeyError("k")) == ("failed", 5, None, "k:KeyError")
    assert after(client, ruled(), TimeoutError(), retries=0) == ("failed", 0, None, "k:TimeoutError")
    assert after(client, ruled(), ValueError())[3] == "k:ValueError"


def test_the_exception_goes_on(client: Client) -> None:
    worker = Worker(client, ["q"])
    told: list[object] = []
    error = OSError("away")
    worker.on("failure")(lambda _job, error: told.append(error))
    worker.use(RetryRules(retry_on={OSError: 5}))
    assert after(client, worker, error)[2] == 5
    assert told == [error]


def test_rules_around_async_handlers_and_in_a_running_worker(client: Client) -> None:
    placed = client.queue("q").put("k")
    worker = Worker(client, ["q"])
    worker.use(RetryRules(discard_on=[OSError]))

    @worker.perform("k")
    async def handler(_job: Job) -> None:
        worker.stop()
        raise ConnectionError

    worker.run()
    job = client.job(placed.jid)
    assert job is not None
    assert (job.state, job.remaining) == ("failed", 5)


def test_a_handler_has_a_backoff(client: Client) -> None:
    @manyhands.job("k", queue="q", backoff=[7])
    def failing(_job: Job) -> None:
        raise OSError

    client.config.set("test-clock", 1_000_000)
    dues = []
    for backoff in (None, timedelta(minutes=1)):
        worker = Worker(client, ["q"])
        worker.perform(failing, backoff=backoff)
        placed = failing.put(client)
        drain(worker, raises=False)
        job = client.job(placed.jid)
        assert job is not None
        dues.append(job.due_at)
    assert dues == [1_007, 1_060]


@pytest.mark.parametrize("delay", [lambda errors: 1 / (errors - 1), lambda _errors: -1, lambda _errors: "soon"])
def test_a_backoff_that_raises_is_as_none(
    client: Client, caplog: pytest.LogCaptureFixture, delay: Callable[[int], Any]
) -> None:
    worker = Worker(client, ["q"])
    for kind in ("rule", "own"):
        client.queue("q").put(kind, jid=kind)

    def handler(job: Job) -> None:
        if job.kind == "own":
            worker.stop()
        raise OSError(job.kind)

    worker.use(RetryRules(retry_on={OSError: delay}))
    worker.perform("rule")(handler)
    worker.perform("own", backoff=delay)(handler)
    worker.run()
    jobs = [job for job in client.jobs(["rule", "own"]) if job]
    assert [(job.state, job.remaining) for job in jobs] == [("scheduled", 4)] * 2
    assert "job rule (rule): its backoff raised" in caplog.text


def test_backoffs() -> None:
    exponential = Backoff.exponential(2, factor=3, most=50, jitter=0)
    assert [exponential.delay(errors) for errors in (1, 2, 3, 4, 10**9)] == [2, 6, 18, 50, 50]
    assert [Backoff.fixed(timedelta(seconds=4)).delay(errors) for errors in (1, 9)] == [4, 4]
    assert [Backoff.list([1, 5]).delay(errors) for errors in (1, 2, 3)] == [1, 5, 5]
    jittered = {Backoff.fixed(100, jitter=0.5).delay(1) for _ in range(100)}
    assert len(jittered) > 50
    assert min(jittered) >= 50
    assert max(jittered) <= 150


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: RetryRules(retry_on={5: 1}), "5 is no class of exceptions"),  # type: ignore[dict-item]
        (lambda: RetryRules(discard_on=[BaseException]), "is no class of exceptions"),  # type: ignore[list-item]
        (lambda: RetryRules(discard_on=OSError), "discard_on must be a list of classes"),  # type: ignore[arg-type]
        (lambda: RetryRules(retry_on=[OSError]), "retry_on must be a mapping of classes"),  # type: ignore[arg-type]
        (lambda: Backoff(5), "delay must be a function"),  # type: ignore[arg-type]
        (lambda: RetryRules(retry_on={OSError: "soon"}), "backoff must be seconds"),  # type: ignore[dict-item]
        (lambda: RetryRules(retry_on={OSError: []}), "backoff is an empty list"),
        (lambda: RetryRules(retry_on={OSError: [1, -1]}), "backoff[1] must be 0 to"),
        (lambda: Backoff.exponential(factor=0.5), "factor must be 1 to 1000"),
        (lambda: Backoff.exponential(-1), "first must be 0 to"),
        (lambda: Backoff.fixed(1, jitter=2), "jitter must be 0 to 1"),
        (lambda: manyhands.job("k", backoff="soon"), "backoff must be seconds"),  # type: ignore[arg-type]
    ],
)
def test_bad_rules(act: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        act()
    assert said in caught.value.message

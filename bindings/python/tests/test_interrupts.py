"""Handlers that are interrupted, and that nothing else is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NoReturn

import pytest
from performing import found

from manyhands import Client, Job, JobInterrupted, Next, Worker, _native
from manyhands.interrupted import interrupted_as


def spin() -> NoReturn:
    """Python code without end."""
    while True:
        pass


def run_beside(worker: Worker) -> tuple[threading.Thread, list[BaseException]]:
    """Run a worker on a thread; what its run raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except BaseException as error:  # noqa: BLE001  the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_a_killed_run_gives_its_job_back(client: Client) -> None:
    placed = client.queue("q").put("k", retries=0)
    worker = Worker(client, ["q"])
    entered: SimpleQueue[int] = SimpleQueue()
    seen: list[str] = []
    told: list[object] = []
    worker.on("failure")(lambda _job, error: told.append(error))

    @worker.use
    def around(_job: Job, next: Next[Any]) -> Any:
        try:
            return next()
        except JobInterrupted as error:
            seen.append(f"{error.reason}: {error}")
            raise

    @worker.perform("k")
    def handler(_job: Job) -> str | None:
        entered.put(1)
        if not seen:
            spin()
        worker.stop()
        return "again"

    thread, raised = run_beside(worker)
    entered.get()
    worker.kill_running()
    thread.join()
    job = found(client, placed.jid)
    assert (job.state, job.result, job.remaining, raised, told) == ("completed", "again", 0, [], [])
    assert seen == ["killed: the run of the job was interrupted: killed"]


def test_a_handler_may_end_its_job_though_killed(client: Client) -> None:
    placed = client.queue("q").put("k")
    worker = Worker(client, ["q"])

    @worker.perform("k")
    def handler(_job: Job) -> str:
        worker.kill_running()
        worker.stop()
        try:
            spin()
        except JobInterrupted:
            return "cleaned up"

    worker.run()
    assert found(client, placed.jid).result == "cleaned up"


def test_a_paused_worker_takes_nothing_until_it_is_resumed(client: Client) -> None:
    paused, performed = Worker(client, ["q"]), []
    paused.pause()

    @paused.perform("k")
    def handler(job: Job) -> None:
        performed.append(job.jid)
        paused.stop()

    thread, raised = run_beside(paused)
    client.queue("q").put("k", jid="first")
    with Worker(client, ["q"]) as other:
        job = other.next(10)
        assert job is not None
        assert (job.jid, paused.paused) == ("first", True)
        job.complete()
    paused.resume()
    client.queue("q").put("k", jid="second")
    thread.join()
    assert (performed, raised, paused.paused) == (["second"], [], False)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_lost_job_interrupts_its_handler(client: Client, asynchronous: bool) -> None:
    placed = client.queue("q").put("k")
    worker = Worker(client, ["q"])
    reasons: list[tuple[str, str]] = []
    entered: SimpleQueue[int] = SimpleQueue()

    @worker.on_lock_lost
    def lost(job: Job, reason: str) -> None:
        reasons.append((job.jid, reason))
        worker.stop()

    def handler(_job: Job) -> None:
        entered.put(1)
        spin()

    async def async_handler(_job: Job) -> None:
        entered.put(1)
        await asyncio.Event().wait()

    worker.perform("k")(async_handler if asynchronous else handler)
    thread, raised = run_beside(worker)
    entered.get()
    client.cancel([placed.jid])
    thread.join()
    assert (reasons, raised) == ([(placed.jid, "cancelled")], [])


CAUSES: dict[str, Callable[[Job, Worker], object]] = {
    "cancelled": lambda job, _worker: job.cancel(),
    "expired": lambda job, _worker: job.timeout(),
    "replaced": lambda job, _worker: job.requeue("elsewhere"),
    "killed": lambda _job, worker: worker.kill_running(),
    "timeout": lambda _job, _worker: None,
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("reason", CAUSES)
def test_an_interrupt_comes_within_two_seconds_of_its_cause(client: Client, reason: str, asynchronous: bool) -> None:
    # No lease ends meanwhile. One of three may take longer on a busy machine.
    client.config.set("heartbeat", 3_600)
    spans = [seconds_until_told(client, name, reason, asynchronous) for name in ("a", "b", "c")]
    assert min(spans) < 2, spans


def seconds_until_told(client: Client, queue: str, reason: str, asynchronous: bool) -> float:
    """How long after its cause the handler of a job in this queue hears of an interrupt."""
    placed = client.queue(queue).put("k")
    worker = Worker(client, [queue], timeout=0.05 if reason == "timeout" else None)
    entered: SimpleQueue[int] = SimpleQueue()
    told: SimpleQueue[tuple[str | None, float]] = SimpleQueue()

    def handler(_job: Job) -> None:
        try:
            entered.put(1)
            spin()
        except JobInterrupted as interrupted:
            told.put((interrupted.reason, time.monotonic()))
        worker.stop()

    async def async_handler(_job: Job) -> None:
        try:
            entered.put(1)
            await asyncio.Event().wait()
        except asyncio.CancelledError as interrupted:
            told.put((interrupted.args[0], time.monotonic()))
        worker.stop()

    worker.perform("k")(async_handler if asynchronous else handler)
    thread, raised = run_beside(worker)
    entered.get()
    client.queue(queue).pause()  # a job that is back in it would be taken again before the stop, and spin for ever
    job = found(client, placed.jid)
    since = time.monotonic()
    CAUSES[reason](job, worker)
    heard, at = told.get(timeout=60)
    thread.join()
    assert (heard, raised) == (reason, [])
    return at - since


def test_a_run_past_its_time_spends_a_retry(client: Client) -> None:
    placed = client.queue("q").put("slow", retries=0)
    worker = Worker(client, ["q"])
    told: list[str] = []
    worker.perform("slow", timeout=0.05)(lambda _job: spin())

    @worker.on("failure")
    def failure(_job: Job, error: JobInterrupted) -> None:
        told.append(error.reason)
        worker.stop()

    worker.run()
    failure_ = found(client, placed.jid).failure
    assert failure_ is not None
    assert (told, failure_["group"]) == (["timeout"], "slow:JobInterrupted")


def test_a_handler_that_does_not_end_ends_the_worker(client: Client) -> None:
    client.queue("q").put_many([{"kind": "stuck"}, {"kind": "good", "jid": "good"}])
    worker = Worker(client, ["q"], threads=2, timeout=0.01)
    go, over = threading.Event(), threading.Event()

    @worker.perform("stuck")
    def stuck(_job: Job) -> None:
        over.wait()

    @worker.perform("good", timeout=60)
    def good(_job: Job) -> str:
        go.wait()
        return "finished"

    thread, raised = run_beside(worker)
    while not worker._native.is_stuck():
        threading.Event().wait(0.01)
    go.set()
    thread.join()
    over.set()
    assert [str(error) for error in raised] == ["70"]
    assert found(client, "good").result == "finished"


def test_nothing_is_raised_outside_of_a_run() -> None:
    """The worker's own steps around a run, as fast as they go, under interrupts as fast as they go."""
    current: list[_native.Run] = []
    over = threading.Event()
    sent: list[bool | None] = []

    def disturb() -> None:
        while not over.is_set():
            for run in current[-1:]:
                sent.append(run.interrupt(interrupted_as("killed")))

    threads = [threading.Thread(target=disturb) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside = 0
    try:
        until = time.monotonic() + 5
        for number in range(200_000):
            run = _native.Run()
            current[:] = [run]
            try:
                run.call(lambda n: sum(range(n % 50)), number)
            except JobInterrupted:
                inside += 1
            if time.monotonic() > until:
                break
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert inside > 10
    assert {True, None} <= set(sent)


def test_a_storm_of_kills_harms_only_runs(client: Client) -> None:
    jids = [placed.jid for placed in client.queue("q").put_many([{"kind": "k", "retries": 0}] * 250)]
    worker = Worker(client, ["q"], threads=4)
    performed: list[str] = []

    @worker.perform("k")
    def handler(job: Job) -> None:
        sum(range(20_000))
        performed.append(job.jid)

    thread, raised = run_beside(worker)
    while len(set(performed)) < 250:
        worker.kill_running()
        threading.Event().wait(0.02)
    while {job.state for job in client.jobs(jids) if job} != {"completed"} and thread.is_alive():
        threading.Event().wait(0.02)
    worker.stop()
    thread.join()
    assert raised == []
    assert {(job.state, job.remaining) for job in client.jobs(jids) if job} == {("completed", 0)}


def test_an_interrupt_before_the_run_is_raised_when_it_begins() -> None:
    run = _native.Run()
    assert run.interrupt(interrupted_as("killed"))
    called: list[int] = []
    with pytest.raises(JobInterrupted):
        run.call(called.append, 1)
    assert (called, run.interrupt(interrupted_as("killed"))) == ([], None)


def test_waiting_is_part_of_a_run() -> None:
    run = _native.Run()
    assert run.wait(lambda: 5) is None
    assert run.call(lambda _: run.wait(lambda: 5), 0) == 5
    assert run.wait(lambda: 5) is None

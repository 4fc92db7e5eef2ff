"""What is not lost when processes of `python -m manyhands work` die, stop, or are without Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGQUIT, SIGSTOP

import pytest
from servers import lasting_server
from working import TESTS, Command, is_gone, until, viewed

from manyhands import Client

Run = Callable[..., Command]


# A2
def test_a_handler_that_always_crashes_fails_and_its_neighbours_survive(run: Run) -> None:
    command = run("--worker-count=2", "--thread-count=2")
    command.ready(2)
    jids = [command.put("hold", str(TESTS), retries=5) for _ in range(4)]  # the folder is there: they return
    jid = command.put("crash", retries=2)
    jids += [command.put("hold", str(TESTS), retries=5) for _ in range(20)]
    failure = command.ends_as(jid, "failed").failure
    assert failure is not None
    assert failure["group"] == "failed-retries-q"
    for one in jids:
        command.ends_as(one, "completed")
    command.says("died of signal 9")


def test_a_handler_that_ends_its_process_well_spends_its_retries(run: Run) -> None:
    command = run()
    jid = command.put("leave", retries=1)
    failure = command.ends_as(jid, "failed").failure
    assert failure is not None
    assert failure["group"] == "failed-retries-q"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_process_costs_its_job_a_retry_and_another_has_it_within_a_second(run: Run, processes: int) -> None:
    command = run(f"--worker-count={processes}")
    # Nobody but the master can tell of it: the lease lasts an hour. One of three may take longer on a busy machine.
    command.client.config.set("heartbeat", 3_600)
    command.ready(processes)
    pid = command.hold("a", retries=3)
    waits = []
    for left in (2, 1, 0):
        before, died = time.time(), pid
        command.signal(SIGKILL, died)
        pid = command.started("a")
        job = command.job("a")
        assert (pid != died, job.state, job.remaining) == (True, "running", left)
        *_, again = (entry["at"] for entry in job.history if entry["what"] == "reserved")
        waits.append(again - before)
    assert min(waits) < 1, waits
    command.finish("a")
    assert command.ends_as("a", "completed").remaining == 0


def test_when_the_master_is_killed_its_processes_end_after_their_jobs(run: Run) -> None:
    command = run("--worker-count=2")
    pids = [command.hold("a"), command.hold("b")]
    command.children()
    command.signal(SIGKILL)
    assert command.status() == -SIGKILL
    until("they take no jobs", lambda: all(status["quiet"] for status in command.statuses().values()))
    waiting = command.put("work")
    for jid in "ab":
        command.finish(jid)
        command.ends_as(jid, "completed")
    until("they are gone", lambda: all(map(is_gone, pids)))
    assert command.job(waiting).state == "waiting"


def lease_runs_out(client: Client, jid: str) -> None:
    """Let time pass for the engine until another worker has the job."""

    def worker() -> str | None:
        job = client.job(jid)
        return job.worker if job else None

    first, now = worker(), round(time.time() * 1000)

    def others() -> bool:
        nonlocal now
        now += 5_000
        client.config.set("test-clock", now)
        return worker() not in (None, first)

    until(f"another worker has {jid}", others)


def test_when_all_are_killed_their_jobs_come_back_with_their_leases(run: Run) -> None:
    command = run()
    pid = command.hold("a", retries=3)
    command.signal(SIGSTOP)  # it must not notice
    command.signal(SIGKILL, pid)
    command.signal(SIGKILL)
    assert command.status() == -SIGKILL
    other = run("--run-as-single-process")
    lease_runs_out(command.client, "a")
    assert other.started("a") == other.pid
    other.finish("a")
    assert other.ends_as("a", "completed").remaining == 2


def test_one_that_slept_past_its_lease_does_not_succeed_too(run: Run) -> None:
    command = run("--worker-count=2")
    command.ready(2)
    first = command.hold("a", retries=3)
    command.signal(SIGSTOP, first)
    lease_runs_out(command.client, "a")
    second = command.started("a")
    assert second != first
    command.finish("a")
    assert command.ends_as("a", "completed").result == second
    command.signal(SIGCONT, first)
    assert int(command.says("lost a").split()[-1]) == first
    assert command.job("a").result == second


def test_redis_restarted_under_load_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    with lasting_server() as server, Client(f"unix://{server.path}", engine_upgrade="auto") as client:
        command = Command(client, tmp_path, ("--worker-count=2", "--thread-count=4"), "working_app")
        try:
            command.ready(2)
            queue = client.queue("q")
            jids = []
            for _ in range(3):
                jids += [placed.jid for placed in queue.put_many([{"kind": "note", "data": 0.002}] * 1000)]
                until("it is in the midst of them", lambda: queue.length() < 900)
                server.kill()
                server.start()
                assert queue.length() > 0
            until("all is done", lambda: queue.length() == 0)
            command.signal(SIGQUIT)
            assert command.status() == 0
            assert sorted(word for word, _ in command.notes() if word != "serves") == sorted(jids)
            states = {(job.state, job.remaining == job.retries) for job in viewed(client, jids)}
            assert states == {("completed", True)}
        finally:
            command.end()

"""Signals to programs that run a worker."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import wait_for_line
from working import until

from manyhands import Client, Worker

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_run(client: Client, program: Program, number: signal.Signals) -> None:
    client.queue("q").put("work")
    process = program("waits")
    wait_for_line(process.stdout, "performed")
    process.send_signal(number)
    wait_for_line(process.stdout, "stopped")
    assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process(client: Client, program: Program, number: signal.Signals) -> None:
    placed = client.queue("q").put("work")
    process = program("never_ends")
    wait_for_line(process.stdout, "started")
    process.send_signal(number)
    wait_for_line(process.stdout, "stopping")
    process.send_signal(number)
    assert process.wait(10) == -number
    job = client.job(placed.jid)
    assert job is not None
    assert (job.state, job.remaining) == ("waiting", 5)


@pytest.mark.parametrize("first", [None, signal.SIGQUIT])
def test_term_gives_back_the_job_of_a_hanging_handler(
    client: Client, program: Program, first: signal.Signals | None
) -> None:
    placed = client.queue("q").put("work")
    process = program("never_ends")
    wait_for_line(process.stdout, "started")
    if first is not None:
        process.send_signal(first)
        wait_for_line(process.stdout, "stopping")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    job = client.job(placed.jid)
    assert job is not None
    assert (job.state, job.remaining) == ("waiting", 5)


def started_deaf(client: Client, program: Program, kind: str, seconds: float) -> subprocess.Popen[str]:
    client.queue("q").put(kind, jid="deaf")
    process = program("keeps_the_gil", str(seconds))
    wait_for_line(process.stdout, "started")
    return process


def given_back(client: Client) -> int:
    """The retries that are left of the job, which can be had at once."""
    [job] = client.queue("q").reserve()
    assert job.jid == "deaf"
    return job.remaining


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_handler_that_keeps_the_gil_outlasts_its_time_no_more(
    client: Client, program: Program, number: signal.Signals
) -> None:
    process = started_deaf(client, program, "work", 0.05)
    process.send_signal(number)
    assert process.wait(10) == -number
    assert given_back(client) == 5


def test_a_second_term_ends_the_process_at_once_although_a_handler_keeps_the_gil(
    client: Client, program: Program
) -> None:
    process = started_deaf(client, program, "work", 60)
    process.send_signal(signal.SIGTERM)
    status = Path(f"/proc/{process.pid}/status")
    while "ShdPnd:\t0000000000000000" not in status.read_text():  # before it is taken another is the same one
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM
    assert given_back(client) == 5


def test_terms_that_do_not_cease_end_it_no_worse(client: Client, program: Program) -> None:
    process = started_deaf(client, program, "work", 60)

    def ended() -> bool:
        process.send_signal(signal.SIGTERM)
        return process.poll() is not None

    until("it has ended", ended)
    assert process.returncode == -signal.SIGTERM
    assert given_back(client) == 5


def test_a_handler_that_keeps_the_gil_beyond_its_timeout_ends_the_process(client: Client, program: Program) -> None:
    process = started_deaf(client, program, "late", 0.05)
    assert process.wait(10) == 70
    assert given_back(client) == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_term_and_int_give_back_what_runs(client: Client, program: Program, number: signal.Signals) -> None:
    jids = [client.queue("q").put("spin", retries=0).jid, client.queue("q").put("work").jid]
    process = program("spins")
    wait_for_line(process.stdout, "started")
    process.send_signal(number)
    wait_for_line(process.stdout, "interrupted killed")
    wait_for_line(process.stdout, "ended")
    assert process.wait(10) == 0
    found = [job for job in client.jobs(jids) if job]
    assert [(job.state, job.remaining) for job in found] == [("waiting", 0), ("waiting", 5)]


def test_quit_waits_for_what_runs(client: Client, program: Program) -> None:
    placed = client.queue("q").put("spin")
    process = program("spins")
    wait_for_line(process.stdout, "started")
    process.send_signal(signal.SIGQUIT)
    wait_for_line(process.stdout, "stopping")
    client.cancel([placed.jid])
    wait_for_line(process.stdout, "interrupted cancelled")
    wait_for_line(process.stdout, "ended")
    assert process.wait(10) == 0


def test_usr1_interrupts_and_goes_on(client: Client, program: Program) -> None:
    client.queue("q").put("spin", jid="a", retries=0)
    process = program("spins")
    wait_for_line(process.stdout, "started a")
    process.send_signal(signal.SIGUSR1)
    wait_for_line(process.stdout, "interrupted killed")
    wait_for_line(process.stdout, "started a")
    client.queue("q").put("work", jid="b")
    client.cancel(["a"])
    wait_for_line(process.stdout, "performed b")


def test_usr2_pauses_and_cont_resumes(client: Client, program: Program) -> None:
    client.queue("q").put("work", jid="a")
    process = program("spins")
    wait_for_line(process.stdout, "performed a")
    process.send_signal(signal.SIGUSR2)
    wait_for_line(process.stdout, "told to pause")
    client.queue("q").put("work", jid="b")
    with Worker(client, ["q"]) as other:
        job = other.next(10)
        assert job is not None
        assert job.jid == "b"
        job.release()
    process.send_signal(signal.SIGCONT)
    wait_for_line(process.stdout, "told to resume")
    wait_for_line(process.stdout, "performed b")


def test_ttin_shows_what_runs(client: Client, program: Program) -> None:
    placed = client.queue("q").put("spin")
    process = program("spins")
    wait_for_line(process.stdout, "started")
    process.send_signal(signal.SIGTTIN)
    wait_for_line(process.stdout, f"performs job {placed.jid} (spin)")
    wait_for_line(process.stdout, "in spin")


def test_ctrl_c_ends_next(client: Client, program: Program) -> None:
    client.queue("q").put("work")
    process = program("next_waits")
    wait_for_line(process.stdout, "performed")
    process.send_signal(signal.SIGINT)
    wait_for_line(process.stdout, "interrupted")
    assert process.wait(10) == 0


def test_a_child_of_a_handler_can_be_terminated(client: Client, program: Program) -> None:
    client.queue("q").put("work")
    process = program("forks_in_a_handler")
    line = wait_for_line(process.stdout, "child ended")
    assert line == f"child ended {-signal.SIGTERM}\n"
    assert process.wait(10) == 0


def test_a_program_may_leave_everything_open(program: Program) -> None:
    process = program("leaves_everything_open")
    wait_for_line(process.stdout, "leaving")
    assert process.wait(10) == 0


@pytest.mark.parametrize("what", ["spin", "sleep", "wait_for_a_lock"])
@pytest.mark.parametrize(
    "where", ["handler", "wait_in_a_run", "interrupt_of_a_run", "error", "look_for_the_main_thread"]
)
def test_a_program_may_end_whatever_its_threads_do(program: Program, where: str, what: str) -> None:
    process = program("ends_in_the_middle", where, what)
    wait_for_line(process.stdout, "leaving")
    assert process.wait(10) == 0

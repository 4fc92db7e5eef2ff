"""Signals to programs that run a worker."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest
from servers import wait_for_line

from manyhands import Client

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
    assert job.state == "running"  # until its lease runs out


@pytest.mark.parametrize("first", [None, signal.SIGQUIT])
def test_term_leaves_a_hanging_handler(client: Client, program: Program, first: signal.Signals | None) -> None:
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
    assert job.state == "running"  # until its lease runs out


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

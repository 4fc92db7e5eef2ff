"""Signals to `python -m manyhands work`: what each does to a master, to one of its processes, to a single process."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGUSR1, SIGUSR2, Signals
from typing import Literal

import pytest
from working import Command, is_gone, until

Run = Callable[..., Command]
Tier = Literal["master", "one", "single"]

TIERS = pytest.mark.parametrize("tier", ["master", "one", "single"])


class Table:
    """A tier that gets a signal while two jobs run, in two processes where there are several."""

    def __init__(self, run: Run, tier: Tier) -> None:
        flags = ["--run-as-single-process", "--thread-count=2"] if tier == "single" else ["--worker-count=2"]
        self.tier = tier
        self.command = run(*flags)
        self.ran = {jid: self.command.hold(jid, retries=3) for jid in ("a", "b")}
        self._to = self.ran["a"] if tier == "one" else None
        self.concerned = ["a"] if tier == "one" else ["a", "b"]
        self.pids = {self.ran[jid] for jid in self.concerned}

    def signal(self, number: Signals) -> None:
        self.command.signal(number, self._to)

    def concern(self, words: str) -> None:
        """Wait until it is said of each job that the signal concerns."""
        for jid in self.concerned:
            self.command.says(f"{words} {jid}")

    def finish(self, *jids: str) -> None:
        """Let jobs end: each is completed where it began, or was begun again, and spent nothing."""
        for jid in jids:
            self.command.finish(jid)
            assert self.command.ends_as(jid, "completed").remaining == 3

    def has_ended(self, status: int = 0) -> None:
        """What got the signal is gone; of several processes the other has not noticed."""
        if self.tier != "one":
            assert self.command.status() == status
            return
        until("it has ended", lambda: is_gone(self.ran["a"]))
        assert self.command.hold("c") not in self.ran.values()
        assert self.command.job("b").state == "running"
        self.finish("b")
        self.command.finish("c")
        self.command.ends_as("c", "completed")
        self.command.signal(SIGQUIT)
        assert self.command.status() == 0


# A5 A6
@TIERS
def test_quit_ends_after_the_running_jobs(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    table.signal(SIGQUIT)
    until("it takes no jobs", lambda: all(table.command.statuses()[pid]["quiet"] for pid in table.pids))
    table.finish(*table.concerned)
    assert [table.command.job(jid).result for jid in table.concerned] == [table.ran[jid] for jid in table.concerned]
    table.has_ended()


@TIERS
@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_term_and_int_end_now(run: Run, tier: Tier, number: Signals) -> None:
    table = Table(run, tier)
    table.signal(number)
    table.concern("interrupted killed")
    if tier == "one":
        assert table.command.started("a") not in table.ran.values()
        table.finish("a")
    table.has_ended()
    if tier != "one":
        jobs = [table.command.job(jid) for jid in "ab"]
        assert [(job.state, job.remaining) for job in jobs] == [("waiting", 3)] * 2


def test_handlers_have_the_time_to_end_that_their_program_gives_them(run: Run) -> None:
    command = run(app="working_app:patient")
    command.ready(1)
    command.hold("a", "slow")
    command.signal(SIGTERM)
    command.says("interrupted killed a")
    command.pulses(5)  # one a second, and a master that nobody told leaves them three
    command.finish("a")
    assert command.status() == 0
    assert command.job("a").state == "completed"


@TIERS
def test_usr1_interrupts_what_runs_and_the_processes_go_on(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    table.signal(SIGUSR1)
    table.concern("interrupted killed")
    for jid in table.concerned:
        assert table.command.started(jid) in table.ran.values()
    table.finish("a", "b")


@TIERS
def test_usr2_pauses_and_cont_resumes(run: Run, tier: Tier) -> None:
    table = Table(run, tier)

    def paused() -> set[int]:
        return {pid for pid, status in table.command.statuses().items() if status["paused"]}

    table.signal(SIGUSR2)
    until("they are paused", lambda: paused() == table.pids)
    table.finish("a", "b")
    if tier == "one":
        assert table.command.hold("c") == table.ran["b"]
    table.signal(SIGCONT)
    until("they are resumed", lambda: not paused())
    assert table.command.hold("d") in table.pids


@TIERS
def test_ttin_tells_what_runs(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    table.signal(SIGTTIN)
    for jid in table.concerned:
        table.command.says(f"performs job {jid} (hold)")
        table.command.says("in hold")
    for _pid in table.pids:
        table.command.says("thread MainThread")
    if tier == "master":
        table.command.says("serves")
    table.finish("a", "b")


@TIERS
def test_a_second_term_ends_at_once(run: Run, tier: Tier) -> None:
    command = run(*(["--run-as-single-process"] if tier == "single" else []))
    jid = command.put("hang", retries=3)
    pid = command.started(jid)
    to = pid if tier == "one" else None
    command.signal(SIGQUIT, to)
    until("it is quiet", lambda: command.statuses()[pid]["quiet"])
    command.signal(SIGTERM, to)
    command.signal(SIGINT, to)  # two equal ones may become one
    if tier == "one":
        assert command.started(jid) != pid
        assert (is_gone(pid), command.job(jid).remaining) == (True, 3)
    else:
        assert command.status() in ([1] if tier == "master" else [-SIGTERM, -SIGINT])
        assert (command.job(jid).state, command.job(jid).remaining) == ("waiting", 3)


def test_hup_replaces_every_process_in_turn(run: Run) -> None:
    command = run("--worker-count=2")
    before = command.ready(2)
    command.signal(SIGHUP)
    until("the old ones have ended", lambda: all(map(is_gone, before)))
    until("there are others", lambda: len(command.children()) == 2)


@pytest.mark.parametrize("tier", ["one", "single"])
def test_hup_is_for_masters_and_ends_a_process_as_any_program(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    table.signal(SIGHUP)
    if tier == "one":
        assert table.command.started("a") not in table.ran.values()
        table.finish("a")
    table.has_ended(-SIGHUP)


@pytest.mark.parametrize("flags", [[], ["--run-as-single-process"]])
def test_a_handler_that_ignores_its_shutdown_ends_with_its_process(run: Run, flags: list[str]) -> None:
    command = run("--shutdown-timeout=0.3", *flags)
    jid = command.put("hang", retries=3)
    pid = command.started(jid)
    command.signal(SIGQUIT)
    assert command.status() == 0
    assert is_gone(pid)
    assert (command.job(jid).state, command.job(jid).remaining) == ("waiting", 3)


@pytest.mark.parametrize("number", [SIGTERM, SIGQUIT])
def test_a_handler_that_keeps_the_gil_ends_with_its_process_free_of_charge(run: Run, number: Signals) -> None:
    command = run("--shutdown-timeout=0.1", "--kill-timeout=0.1")
    jid = command.put("deaf", retries=3)
    pid = command.started(jid)
    command.signal(number, pid)
    assert command.started(jid) != pid
    assert (is_gone(pid), command.job(jid).remaining) == (True, 3)


def test_a_handler_that_ignores_its_timeout_loses_its_job_and_its_process(run: Run) -> None:
    command = run("--shutdown-timeout=0.3", "--thread-count=2")
    jid = command.put("late", retries=1)
    pid = command.started(jid)
    command.says("goes on after its time is over")
    assert command.started(jid) != pid
    assert command.job(jid).remaining == 0
    assert command.ends_as(jid, "failed").failure is not None


def test_a_handler_that_ignores_its_timeout_ends_a_single_process_and_spends_a_retry(run: Run) -> None:
    command = run("--shutdown-timeout=0.3", "--run-as-single-process")
    jid = command.put("late", retries=3)
    command.started(jid)
    assert command.status() == 70
    assert (command.job(jid).state, command.job(jid).remaining) == ("waiting", 2)

"""`python -m manyhands work` with real processes and real signals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from signal import SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTERM, SIGTTIN, SIGUSR1, SIGUSR2, Signals
from typing import Literal

import pytest
from working import TESTS, Command, is_gone, resident_mb, title, until

from manyhands import Client

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

    def signal(self, number: Signals) -> None:
        self.command.signal(number, self._to)

    def goes_on_elsewhere(self) -> None:
        """The process that got no signal has not noticed, and the one that did has a successor."""
        assert self.command.job("b").state == "running"
        self.command.finish("b")
        self.command.ends_as("b", "completed")
        self.command.signal(SIGQUIT)
        assert self.command.status() == 0


# A5 A6
@TIERS
def test_quit_ends_after_the_running_jobs(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    command = table.command
    table.signal(SIGQUIT)
    quiet = {table.ran[jid] for jid in table.concerned}
    until("it takes no jobs", lambda: all(command.statuses()[pid]["quiet"] for pid in quiet))
    for jid in table.concerned:
        command.finish(jid)
        assert command.ends_as(jid, "completed").result == table.ran[jid]
    if tier == "one":
        until("it has ended", lambda: is_gone(table.ran["a"]))
        assert command.hold("c") not in table.ran.values()
        command.finish("c")
        table.goes_on_elsewhere()
    else:
        assert command.status() == 0


@TIERS
@pytest.mark.parametrize("number", [SIGTERM, SIGINT])
def test_term_and_int_end_now(run: Run, tier: Tier, number: Signals) -> None:
    table = Table(run, tier)
    command = table.command
    table.signal(number)
    for jid in table.concerned:
        command.says(f"interrupted killed {jid}")
    if tier == "one":
        assert command.started("a") not in table.ran.values()
        command.finish("a")
        assert command.ends_as("a", "completed").remaining == 3
        table.goes_on_elsewhere()
    else:
        assert command.status() == 0
        assert [(job.state, job.remaining) for job in map(command.job, "ab")] == [("waiting", 3)] * 2


@TIERS
def test_usr1_interrupts_what_runs_and_the_processes_go_on(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    command = table.command
    table.signal(SIGUSR1)
    for jid in table.concerned:
        command.says(f"interrupted killed {jid}")
        assert command.started(jid) in table.ran.values()
    for jid in "ab":
        command.finish(jid)
        assert command.ends_as(jid, "completed").remaining == 3


@TIERS
def test_usr2_pauses_and_cont_resumes(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    command = table.command
    table.signal(SIGUSR2)
    pids = {table.ran[jid] for jid in table.concerned}

    def paused() -> set[int]:
        return {pid for pid, status in command.statuses().items() if status["paused"]}

    until("they are paused", lambda: paused() == pids)
    for jid in "ab":
        command.finish(jid)
        command.ends_as(jid, "completed")
    if tier == "one":
        assert command.hold("c") == table.ran["b"]
    table.signal(SIGCONT)
    until("they are resumed", lambda: not paused())
    assert command.hold("d") in pids


@TIERS
def test_ttin_tells_what_runs(run: Run, tier: Tier) -> None:
    table = Table(run, tier)
    table.signal(SIGTTIN)
    for jid in table.concerned:
        table.command.says(f"performs job {jid} (hold)")
        table.command.says("in hold")
    if tier == "master":
        table.command.says("serves")


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
    else:
        assert command.status() in ([1] if tier == "master" else [-SIGTERM, -SIGINT])
        state = "waiting" if tier == "master" else "running"  # without a master until its lease runs out
        assert (command.job(jid).state, command.job(jid).remaining) == (state, 3)


def test_hup_replaces_every_process_in_turn(run: Run) -> None:
    command = run("--worker-count=2")
    before = command.ready(2)
    command.signal(SIGHUP)
    until("the old ones have ended", lambda: all(map(is_gone, before)))
    until("there are others", lambda: len(command.children()) == 2)


def test_a_handler_that_ignores_its_shutdown_ends_with_its_process(run: Run) -> None:
    command = run("--shutdown-timeout=0.3")
    jid = command.put("hang", retries=3)
    pid = command.started(jid)
    command.signal(SIGQUIT)
    assert command.status() == 0
    assert is_gone(pid)
    assert (command.job(jid).state, command.job(jid).remaining) == ("waiting", 3)


def test_a_handler_that_ignores_its_timeout_loses_its_job_and_its_process(run: Run) -> None:
    command = run("--shutdown-timeout=0.3", "--thread-count=2")
    jid = command.put("late", retries=1)
    pid = command.started(jid)
    command.says("goes on after its time is over")
    assert command.started(jid) != pid
    assert command.job(jid).remaining == 0
    assert command.ends_as(jid, "failed").failure is not None


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


def test_a_killed_process_costs_its_job_a_retry_and_no_time(run: Run) -> None:
    command = run("--worker-count=2")
    command.ready(2)
    pid = command.hold("a", retries=3)
    command.signal(SIGKILL, pid)
    assert command.started("a") != pid
    command.finish("a")
    assert command.ends_as("a", "completed").remaining == 2


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


# A2 A3
def test_processes_are_replaced_after_so_many_jobs_and_a_leak_stays_small(run: Run) -> None:
    command = run("--jobs-per-fork=500", "--thread-count=2")
    command.ready(1)
    queue = command.client.queue("q")
    for _ in range(10):
        queue.put_many([{"kind": "leak", "data": 100_000}] * 500)
    most = 0.0

    def done() -> bool:
        nonlocal most
        most = max(most, sum(map(resident_mb, {command.pid, *command.children()})))
        counts = queue.counts()
        return counts["waiting"] + counts["running"] == 0

    until("all is done", done)
    assert len({command.says("after_fork") for _ in range(10)}) == 10
    assert most < 400, "500 MB were leaked in all, 50 by a process"
    command.signal(SIGQUIT)
    assert command.status() == 0
    assert command.client.failures().total == 0


def test_a_successor_takes_jobs_while_its_predecessor_runs_its_last(run: Run) -> None:
    command = run("--jobs-per-fork=2", "--thread-count=2", "--shutdown-timeout=0.05")
    first = command.hold("a")
    assert command.hold("b") == first
    command.finish("a")
    command.ends_as("a", "completed")
    second = command.hold("c")
    assert second != first
    command.finish("c")
    command.ends_as("c", "completed")
    assert command.hold("d") == second
    assert not is_gone(first), "its last job may take as long as it likes"
    command.finish("b")
    assert command.ends_as("b", "completed").result == first
    until("the old one has ended", lambda: is_gone(first))


def test_one_with_too_much_memory_is_replaced(run: Run) -> None:
    command = run("--max-memory-mb=100")
    before = command.ready(1)
    command.put("leak", 120_000_000)
    command.says("more than 100; it is replaced")
    until("the old one has ended", lambda: all(map(is_gone, before)))
    assert command.hold("a") not in before


# Q24
def test_titles_and_hooks(run: Run) -> None:
    command = run("--worker-count=2", "--queues", "slow,q", app="working_app:made")
    assert command.says("made").split() == ["made", "slow,q", str(command.pid)]
    pid = command.hold("a")
    assert {int(command.says("before_fork").split()[-1]) for _ in range(2)} == {command.pid}
    assert {int(command.says("after_fork").split()[-1]) for _ in range(2)} == command.children()
    until("what runs is shown", lambda: title(pid).startswith("manyhands worker [slow,q] 1/1 hold a"))
    until("the master is shown", lambda: title(command.pid) == "manyhands master: 2 of 2 processes serve")


def test_an_order_to_stop_ends_like_quit(run: Run) -> None:
    command = run("--run-as-single-process")
    command.hold("a")
    assert command.client.order("*", "stop") == 1
    until("it is quiet", lambda: command.statuses()[command.pid]["quiet"])
    command.finish("a")
    assert command.status() == 0
    assert command.job("a").state == "completed"


def test_flags_win_over_the_environment_and_both_over_the_program(run: Run) -> None:
    command = run("--queues=q,r", "--statsd-host=", QUEUES="x", THREAD_COUNT="3", WORKER_COUNT="", VVERBOSE="yes")
    command.says("before_fork")
    command.ready(1)
    (status,) = command.statuses().values()
    assert (status["queues"], status["threads"], len(command.children())) == (["q", "r"], 3, 1)
    jid = command.put("quick")
    assert "start" in command.says(jid)
    assert "kind=quick" in command.says(jid)


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["working_app", "--worker-count=many"], {}, "--worker-count many is not a whole number"),
        (["working_app"], {"MAX_MEMORY_MB": "-1"}, "MAX_MEMORY_MB -1 is outside"),
        (["working_app"], {"JOB_RESERVER": "fair"}, "JOB_RESERVER fair is unknown"),
        (["working_app"], {"RESERVATION": "callback"}, "RESERVATION callback is a function of the program"),
        (["working_app", "--url=ftp://x"], {"NAMESPACE": "a"}, "--url"),
        (["working_app", "--namespace=a b"], {}, "--namespace"),
        (["working_app", "--queues", "x" * 300], {}, "--queues"),
        (["working_app"], {"QUEUES": "x" * 300}, "QUEUES"),
        (["working_app", "--workers=2"], {}, "--workers"),
        (["no_such_app"], {}, "no_such_app: there is no module no_such_app"),
        (["working_app:nobody"], {}, "working_app:nobody: working_app has no nobody"),
        (["working_app:leaked"], {}, "must be a Worker or return one, not list"),
        ([], {}, "MODULE"),
    ],
)
def test_nonsense_is_refused_by_its_name(arguments: list[str], variables: dict[str, str], said: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "MANYHANDS_URL": "unix:///nowhere.sock", **variables}
    command = [sys.executable, "-m", "manyhands", "work", *arguments]
    ended = subprocess.run(command, env=environment, cwd=TESTS, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr


def test_help_names_every_setting() -> None:
    command = [sys.executable, "-m", "manyhands", "work", "--help"]
    said = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True).stdout
    for words in ("--worker-count processes", "[WORKER_COUNT]", "Default: 25 [SHUTDOWN_TIMEOUT]", "USR2"):
        assert words in " ".join(said.split())

"""`python -m manyhands work` with real processes and real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Literal

import pytest
from working import TESTS, Command, title, until

from manyhands import _native

Run = Callable[..., Command]
Tier = Literal["master", "one", "single"]

TIERS = pytest.mark.parametrize("tier", ["master", "one", "single"])


# Q24
def test_titles_and_hooks(run: Run) -> None:
    queues = ",".join(f"queue-{number}" for number in range(20)) + ",q"
    command = run("--worker-count=2", QUEUES=queues, app="working_app:made")
    assert command.says("made").split() == ["made", queues, str(command.pid)]
    pid = command.hold("a")
    assert {int(command.says("before_fork").split()[-1]) for _ in range(2)} == {command.pid}
    assert {int(command.says("after_fork").split()[-1]) for _ in range(2)} == command.children()
    until("what runs is shown", lambda: title(pid).startswith(f"manyhands worker [{queues}] 1/1 hold a"))
    until("the master is shown", lambda: title(command.pid) == f"manyhands master [{queues}] 2 of 2 processes serve")
    os.kill(command.pid, signal.SIGUSR2)
    until("it is shown as paused", lambda: title(pid).startswith(f"manyhands worker paused [{queues}] 1/1 hold a"))


def test_a_client_may_be_used_before_the_fork(run: Run) -> None:
    command = run("--worker-count=2", "--thread-count=4", app="working_app:used")
    jids = [command.put("put") for _ in range(40)]
    for jid in jids:
        command.ends_as(jid, "completed")
        assert command.ends_as(f"of-{jid}", "completed").result in command.children()


@pytest.mark.parametrize("app", ["working_app", "working_app:awaits"])
@pytest.mark.parametrize("tier", ["master", "single"])
def test_who_is_idle_does_not_wake(run: Run, tier: Tier, app: str) -> None:
    command = run(*["--run-as-single-process"] * (tier == "single"), app=app)
    command.ready(1)
    command.ends_as(command.put("quick"), "completed")
    command.pulses(1)  # the title has followed
    threads = command.host_threads()
    command.pulses(2)
    assert command.host_threads() == threads


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


def test_a_log_keeps_the_format_that_the_program_chose(run: Run) -> None:
    command = run("--verbose", app="working_app:json_logged")
    jid = command.put("quick")
    assert json.loads(command.says(jid))["kind"] == "quick"


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
        (["working_app", "--workers=2"], {}, "manyhands work: --workers=2 is unknown; --help names what there is\n"),
        (["working_app.py"], {}, "there is no module working_app.py; a module is named without .py"),
        (["working_app.py:worker"], {}, "there is no module working_app.py; a module is named without .py"),
        (["no_such_app"], {}, "no_such_app: there is no module no_such_app"),
        (["working_app:nobody"], {}, "working_app:nobody: working_app has no nobody"),
        (["working_app:idle"], {}, "manyhands work: the worker performs nothing: say worker.perform(…)"),
        (
            ["working_app:runs"],
            {},
            "manyhands work: the command runs the worker itself: the application only exports it\n",
        ),
        (
            ["working_app:takes"],
            {},
            "manyhands work: the command runs the worker itself: the application only exports it\n",
        ),
        (["working_app", "--kill-timeout=-1"], {}, "--kill-timeout -1 is outside 0..86400"),
        (["working_app:leaked"], {}, "must be a Worker or return one, not list"),
        (["working_app:work"], {}, "working_app:work must be a Worker, or return one when called without arguments\n"),
        ([], {}, "MODULE"),
    ],
)
def test_nonsense_is_refused_by_its_name(arguments: list[str], variables: dict[str, str], said: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "MANYHANDS_URL": "unix:///nowhere.sock", **variables}
    command = [sys.executable, "-m", "manyhands", "work", *arguments]
    ended = subprocess.run(command, env=environment, cwd=TESTS, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr


def test_help_names_every_setting_with_its_unit_and_default() -> None:
    command = [sys.executable, "-m", "manyhands", "work", "--help"]
    wide = {**os.environ, "COLUMNS": "1000"}  # lines would be parted within words as well
    printed = subprocess.run(command, cwd=TESTS, env=wide, capture_output=True, text=True, check=True).stdout
    said = " ".join(printed.split())
    for words in ("--worker-count processes", "[WORKER_COUNT]", "Default: 25 [SHUTDOWN_TIMEOUT]", "USR2"):
        assert words in said
    for setting in json.loads(_native.work_settings_table()):
        parts = [f"--{setting['flag']}", setting["unit"], setting["help"]]
        parts += [f"Default: {setting['default']}" if setting["default"] else "", f"[{setting['name']}]"]
        assert " ".join(filter(None, parts)) in said

"""A program whose worker tests run: python -m manyhands work working_app."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from manyhands import Client, Job, JobInterrupted, Worker

client = Client(timeout=5)
worker = Worker(client, ["q"])
leaked: list[bytes] = []


def say(*words: object) -> None:
    """A line that no other process writes into."""
    os.write(1, (" ".join(map(str, words)) + f" {os.getpid()}\n").encode())


def note(word: str) -> None:
    """Where all processes of a command note things, in order."""
    file = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{word} {os.getpid()}\n".encode())
    os.close(file)


def made() -> Worker:
    """For a name that is a function."""
    say("made", os.environ["QUEUES"])
    return worker


def patient() -> Worker:
    """One whose handlers have more time to end than usual."""
    return _with_handlers(kill_timeout=30)


def json_logged() -> Worker:
    """One that has chosen how its log looks."""
    return _with_handlers(log="json")


def _with_handlers(**options: Any) -> Worker:
    other = Worker(client, ["q"], **options)
    other.perform("quick")(quick)
    other.perform("slow")(slow)
    return other


def awaits() -> Worker:
    """One whose handler is on the event loop."""
    other = Worker(client, ["q"])

    @other.perform("quick")
    async def quick(_job: Job) -> None:
        pass

    return other


def runs() -> Worker:
    """Does what the command does."""
    worker.run()
    return worker


def takes() -> Worker:
    """The same, one job at a time."""
    worker.next(0)
    return worker


def idle() -> Worker:
    """One without handlers."""
    return Worker(client, ["q"])


def used() -> Worker:
    """One whose client was used, by several threads, before the fork, and is by its handlers."""
    threads = [threading.Thread(target=client.queue("other").length) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    @worker.perform("put")
    def put(job: Job) -> int:
        client.queue("q").put("work", jid=f"of-{job.jid}")
        return os.getpid()

    return worker


@worker.perform("work")
def work(job: Job) -> int:
    say("performed", job.jid)
    return os.getpid()


@worker.perform("quick")
def quick(_job: Job) -> None:
    pass


@worker.perform("hold")
def hold(job: Job) -> int:
    """Runs until there is a file, or until it is interrupted."""
    try:
        say("started", job.jid)
        until_there_is(job.data)
    except JobInterrupted as interrupted:
        say("interrupted", interrupted.reason, job.jid)
        raise
    return os.getpid()


def until_there_is(file: str) -> None:
    """Wait for it in steps between which interrupts are raised."""
    while not Path(file).exists():
        threading.Event().wait(0.01)


def slow(job: Job) -> None:
    """Has much to put in order when it is told to end: that takes until there is a file."""
    try:
        hold(job)
    except JobInterrupted:
        until_there_is(job.data)


def hang(job: Job) -> None:
    """Does not end, whatever it is told."""
    with suppress(JobInterrupted):
        say("started", job.jid)
    while True:
        with suppress(JobInterrupted):
            threading.Event().wait()


worker.perform("hang")(hang)
worker.perform("late", timeout=0.1)(hang)


@worker.perform("deaf")
def deaf(job: Job) -> None:
    """Lets no Python code run any more."""
    say("started", job.jid)
    sys.setswitchinterval(3_600)
    native = ctypes.PyDLL(None)
    while True:
        native.pause()


@worker.perform("crash")
def crash(_job: Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@worker.perform("leave")
def leave(_job: Job) -> None:
    os._exit(0)


@worker.perform("leak")
def leak(job: Job) -> None:
    leaked.append(b"x" * job.data)
    note(job.jid)


@worker.perform("note")
def brief(job: Job) -> int:
    """Takes so many seconds."""
    if job.data:
        threading.Event().wait(job.data)
    note(job.jid)
    return os.getpid()


@worker.on("start")
def start(_worker: Worker) -> None:
    note("serves")


@worker.on("before_fork")
def before_fork(_worker: Worker) -> None:
    say("before_fork")


@worker.on("after_fork")
def after_fork(_worker: Worker) -> None:
    say("after_fork")


@worker.on("lock_lost")
def lock_lost(job: Job, _reason: str) -> None:
    say("lost", job.jid)

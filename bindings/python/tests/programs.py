"""Programs that tests start in a process of their own: programs.py NAME URL NAMESPACE [ARGUMENT]..."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn
from unittest import mock

from manyhands import Client, Job, JobInterrupted, Worker, _native, errors


class SaysOrders(logging.Handler):
    """Says on standard output what the worker has been asked."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "stopping" in message:
            print("stopping", flush=True)
        elif "told to" in message or "performs job" in message:
            print(message, flush=True)


def worker_that_says_orders(client: Client) -> Worker:
    """One of queue q."""
    log = logging.getLogger("manyhands")
    log.setLevel(logging.INFO)
    log.addHandler(SaysOrders())
    return Worker(client, ["q"])


def never_ends(client: Client) -> None:
    """A worker whose handler says the jid and hangs, whatever it is told."""
    worker = worker_that_says_orders(client)

    @worker.perform("work")
    def work(job: Job) -> None:
        while True:
            with suppress(JobInterrupted):
                print("started", job.jid, flush=True)
                threading.Event().wait()

    worker.run()


def spins(client: Client) -> None:
    """A worker whose handler says the jid and computes without end, or until it is interrupted; other kinds return."""
    worker = worker_that_says_orders(client)

    @worker.perform("spin")
    def spin(job: Job) -> None:
        try:
            print("started", job.jid, flush=True)
            while True:
                pass
        except JobInterrupted as interrupted:
            print("interrupted", interrupted.reason, flush=True)
            raise

    worker.perform("work")(lambda job: print("performed", job.jid, flush=True))
    worker.run()
    print("ended", flush=True)


def waits(client: Client) -> None:
    """A worker that says when it has performed a job, and what ended it."""
    worker = Worker(client, ["q"])
    worker.perform("work")(lambda job: print("performed", job.jid, flush=True))
    worker.run()
    print("stopped", flush=True)


def next_waits(client: Client) -> None:
    """A program that waits in next until Ctrl-C."""
    worker = Worker(client, ["q"])
    job = worker.next()
    assert job is not None
    job.complete()
    try:
        print("performed", job.jid, flush=True)
        worker.next()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        worker.close()


def holds_the_gil(client: Client) -> None:
    """A worker whose handler lets no Python code run, that of the event loop it is on included, until it may end."""
    worker = Worker(client, ["q"])

    @worker.perform("work")
    async def work(job: Job) -> None:
        print("started", job.jid, flush=True)
        ctypes.PyDLL(None).getchar()  # unlike CDLL it keeps the lock
        worker.stop()

    worker.run()


def keeps_the_gil(client: Client, seconds: str) -> None:
    """A worker whose handlers never let Python code run again, and have so many seconds after a signal."""
    worker = Worker(client, ["q"], shutdown_timeout=float(seconds), kill_timeout=float(seconds))
    sys.setswitchinterval(3_600)
    native = ctypes.PyDLL(None)  # keeps the lock, also while it says so

    def work(_job: Job) -> None:
        native.write(1, b"started\n", 8)
        while True:  # a signal that comes while the main thread takes another one ends a pause on this one
            native.pause()

    worker.perform("work")(work)
    worker.perform("late", timeout=0.05)(work)
    worker.run()


def forks_in_a_handler(client: Client) -> None:
    """A worker whose handler terminates a child it has forked."""
    worker = Worker(client, ["q"])

    @worker.perform("work")
    def work(_job: Job) -> None:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, b"here")
            threading.Event().wait()
        os.read(read, 4)
        os.kill(child, signal.SIGTERM)
        print("child ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        worker.stop()

    worker.run()


def leaves_everything_open(client: Client) -> None:
    """A program that ends with a worker thread in a handler and another in next."""
    worker = Worker(client, ["q"], threads=2)
    entered = threading.Event()

    @worker.perform("work")
    def work(_job: Job) -> None:
        entered.set()
        threading.Event().wait()

    threading.Thread(target=worker.run, daemon=True).start()
    client.queue("q").put("work")
    entered.wait()
    print("leaving", flush=True)


Act = Callable[[], object]


def _spin() -> NoReturn:
    while True:
        pass


def _sleep() -> NoReturn:
    while True:
        time.sleep(0)


def _wait_for_a_lock() -> NoReturn:
    lock = threading.Lock()
    lock.acquire()
    while True:
        lock.acquire(timeout=1e-6)


def _handler(client: Client, act: Act) -> None:
    worker = Worker(client, ["q"])
    worker.perform("work")(lambda _job: act())
    client.queue("q").put("work")
    worker.run()


def _wait_in_a_run(_client: Client, act: Act) -> None:
    run = _native.Run()
    run.call(lambda _: run.wait(act), None)


def _interrupt_of_a_run(_client: Client, act: Act) -> None:
    class Interrupt(BaseException):
        def __init__(self) -> None:
            act()

    run = _native.Run()
    run.interrupt(Interrupt)
    run.call(print, None)


def _error(client: Client, act: Act) -> None:
    def build(*_about: object) -> object:
        return act()

    mock.patch.object(errors, "build", build).start()
    client.queue("").put("work")


def _look_for_the_main_thread(client: Client, act: Act) -> None:
    main = threading.main_thread()

    def act_here() -> threading.Thread:
        if threading.current_thread() is not main:
            act()
        return main

    threading.main_thread = act_here
    client.events("put").next(0)


def ends_in_the_middle(client: Client, where: str, what: str) -> None:
    """A program that ends while a daemon thread runs Python code that native code has called."""
    sys.setswitchinterval(1e-6)
    entered = threading.Event()

    def act() -> None:
        entered.set()
        globals()[f"_{what}"]()

    threading.Thread(target=globals()[f"_{where}"], args=(client, act), daemon=True).start()
    entered.wait()
    print("leaving", flush=True)


if __name__ == "__main__":
    name, url, namespace, *arguments = sys.argv[1:]
    globals()[name](Client(url, namespace=namespace), *arguments)

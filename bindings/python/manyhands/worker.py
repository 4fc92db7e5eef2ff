"""A process's share of the work: reserves jobs, performs them, and tells the engine what became of them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, NoReturn, TypeVar

from manyhands import _native
from manyhands._chosen import Choose
from manyhands._crew import Crew
from manyhands._display import Display, Show
from manyhands._duties import Duties
from manyhands._holder import WorkerHolder
from manyhands._options import Options
from manyhands._orders import Order, Orders
from manyhands._performer import Performer
from manyhands._registering import Registering
from manyhands._signals import obeying_signals
from manyhands._wire import milliseconds, refuse_unknown
from manyhands.client import Client
from manyhands.errors import Closed, Error, InvalidArgument, WrongState
from manyhands.job import Job

_log = logging.getLogger("manyhands")

_Loaded = TypeVar("_Loaded")

_STUCK = 70
"""The exit status of a process that has a handler which will not end."""


class Worker(Registering):
    """Performs the jobs of some queues with the handlers that are registered on it.

        worker = Worker(client, ["mail"], threads=4)

        @worker.perform("welcome")
        def welcome(job):
            return send(job.data["to"])

        worker.run()

    Its leases are renewed by a native thread, whatever the handlers do. A program that wants its own loop takes jobs
    with `next` and ends them with the methods of `Job`, then calls `close`.

    Source: core/src/worker/
    """

    _loading = False

    def __init__(
        self,
        client: Client,
        queues: Sequence[str],
        *,
        threads: int | None = None,
        strategy: str | Choose | None = None,
        weights: Mapping[str, int] | None = None,
        shutdown_timeout: float | timedelta = 25.0,
        interval: float | timedelta = 2.0,
        timeout: float | timedelta | None = None,
        kill_timeout: float | timedelta = 2.0,
        max_jobs: int | None = None,
        log: Literal["off", "text", "json"] | None = None,
        verbose: bool | None = None,
        statsd: Mapping[str, Any] | None = None,
        **unknown: NoReturn,
    ) -> None:
        """Describe the worker; only checks its arguments. Nothing starts before `run` or `next`.

        client: whose namespace it works in.
        queues: 1 to 1000 names or patterns, in the order in which they are asked. `mail-*` stands for the queues there
            are that match (`*`: any text), by name; `!mail-bulk` takes away what it matches of the entries before it,
            or, as the first, of all queues; `@slow` stands for a saved list (`Client.patterns`), `!@slow` for the
            opposite of each of its entries. Patterns are followed while the worker runs; saved priorities come before
            the order here.
        threads: handlers at once, 1 to 1000. Default 1.
        strategy: ordered (the first queue that has a job), round_robin (all alike), shuffled_round_robin (all alike, in
            an order drawn anew each time) or weighted (by `weights`). Or a function that gets the names of the queues
            and gives those to ask, in their order; called by each thread that is about to take a job, and once a second
            while there is none for it. What it raises is logged, and the order stays. Default ordered.
        weights: 1 to 1000 by queue or pattern, for the strategy weighted. Default: 1 each.
        shutdown_timeout: seconds that a stop leaves to running handlers, 0 or more. Default 25.
        interval: seconds, give or take a tenth, after which an idle worker looks for what nobody told it, 0.01 to
            86400. It is told of jobs that are put or become due. Default 2.
        timeout: seconds that a handler may run, at least 0.001; then it is interrupted (see JobInterrupted) and spends
            a retry. One that goes on for the `kill_timeout` ends the worker: no new jobs, `shutdown_timeout` for its
            neighbours, then `run` raises SystemExit(70). A put's own timeout comes first (`Queue.put`), then that of
            the kind (`perform`), then this. Default: as long as it likes.
        kill_timeout: seconds that a handler has to end after TERM, INT or its `timeout`, 0 or more. Default 2.
        max_jobs: how many jobs `run` starts before it ends. Default: no limit.
        log: text or json writes a line on standard error when a job ends, with its kind, outcome, duration and attempt;
            verbose also when it starts. Default off.
        statsd: host, port (default 8125) and key (default manyhands) of a StatsD server, which gets a counter and a
            timing per kind. Default: none.

        Raises InvalidArgument naming the argument.

        Source: core/src/worker/options.rs
        """
        refuse_unknown(unknown, None)
        if not isinstance(client, Client):
            raise InvalidArgument(f"client must be a Client, not {type(client).__name__}")
        self._options = Options(
            queues,
            strategy,
            weights,
            shutdown_timeout=shutdown_timeout,
            interval=interval,
            timeout=timeout,
            kill_timeout=kill_timeout,
            threads=threads,
            max_jobs=max_jobs,
            log=log,
            verbose=verbose,
            statsd=statsd,
        )
        self._client = client
        self._duties = Duties()
        self._orders = Orders()
        self._started = self._over = False
        self._runs = threading.Lock()
        self._show: Show | None = None
        self._open()

    def _open(self) -> None:
        """The native worker knows its kinds from the start; until it is used, another one may take its place."""
        options = self._options.native(kinds=self._duties.kinds, timeouts=self._duties.timeouts)
        self._native = _native.Worker(self._client._native, options)
        self._holder = WorkerHolder(self._native)
        self._pid = os.getpid()

    def _open_again(self) -> None:
        paused = self.paused
        self._open()
        if paused:
            self.pause()

    def _set(self, settings: Mapping[str, Any]) -> None:
        """What was set from outside the program (`_native.work_settings`) wins over what the program says."""
        self._client._redirect(settings["url"], settings["namespace"])
        self._options.override(settings["worker"])
        self._open_again()

    @classmethod
    def _while_loading(cls, load: Callable[[], _Loaded]) -> _Loaded:
        """For the command: no worker may begin before the program is loaded."""
        cls._loading = True
        try:
            return load()
        finally:
            cls._loading = False

    def _begin(self) -> None:
        """From now on it belongs to this process. One that was described before a fork begins anew in the child."""
        if not self._started and self._pid != os.getpid():
            self._open()
        self._started = True

    @property
    def name(self) -> str:
        """What others see this worker as: host:pid:random.

        Changes when a handler is registered before the start, and at the start in a forked child.
        """
        return self._native.name

    def run(self) -> None:
        """Perform jobs until stopped; then end well: outcomes sent, jobs that had not begun given back.

        On the main thread QUIT stops as `stop` does: no new jobs, and `shutdown_timeout` for running handlers. TERM and
        INT (Ctrl-C) interrupt these with JobInterrupted and leave them the `kill_timeout`, also when they come after
        QUIT; a second TERM or INT ends the process now. USR1 interrupts what runs and goes on; USR2 pauses, CONT
        resumes; TTIN writes each thread's job and backtrace to the log. An interrupted job is given back and no retry
        is spent. A handler that outlasts its time goes on while `run` returns; its job is given back when the process
        exits, if all threads can be held for that. In one that lives on or is killed, the job is performed again when
        its lease runs out, which spends a retry.

        Raises WrongState when it runs already; Closed when it has stopped before or was used before a fork; Unavailable
        when the last outcomes did not reach Redis; SystemExit(70) when a handler goes on after its `timeout`; and what
        keeps it from working at all, such as Denied. Of several that end it, the first is raised.

        Source: core/src/worker/mod.rs
        """
        if self._over:
            raise Closed("the worker has stopped; make another one", operation="worker_run")
        self._refuse_loading()
        with self._alone():
            self._run()

    def stop(self) -> None:
        """Ask `run` to end: no new jobs, `shutdown_timeout` seconds for running handlers. Returns at once.

        May be called from any thread, handler or signal handler.
        """
        self._orders.put(Order.STOP, self._options.shutdown_timeout)

    def pause(self) -> None:
        """Take no new jobs until `resume`; running ones go on, those that had not begun are given back."""
        self._native.pause()

    def resume(self) -> None:
        """Take new jobs again."""
        self._native.resume()

    @property
    def paused(self) -> bool:
        """Whether it takes no jobs until it is resumed."""
        return self._native.is_paused()

    def kill_running(self) -> None:
        """Interrupt all running handlers with JobInterrupted; their jobs are given back and spend no retry.

        Returns at once. The worker goes on.
        """
        self._native.kill_running()

    def next(self, timeout: float | timedelta | None = None) -> Job | None:
        """Wait for a job and take it. For programs that do not use `run`.

        timeout: seconds to wait, 0 or more. Default None: until there is a job or the worker is closed.

        Returns None when the time is over or the worker is closed. The lease is renewed until the job is ended with
        job.complete, job.fail, ... Raises Closed in a forked child. Releases the GIL while it waits; Ctrl-C ends that.

        Source: core/src/worker/mod.rs
        """
        self._refuse_loading()
        self._begin()
        return self._take(None if timeout is None else milliseconds(timeout, "timeout", "worker_next"))

    def close(self, timeout: float | timedelta | None = None) -> None:
        """End: no new jobs, send outcomes, give back jobs that had not begun, stop the native threads.

        timeout: seconds to wait for jobs that were taken and not ended, 0 or more. Default `shutdown_timeout`.
            The lease of those that remain runs out and another worker gets them.

        `run` does this by itself. Calling it again does nothing. Releases the GIL; Ctrl-C ends the wait.
        """
        self._end(
            milliseconds(self._options.shutdown_timeout if timeout is None else timeout, "timeout", "worker_stop")
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two runs would take each other's interrupts. In a forked child the native half refuses it."""
        mine = self._runs.acquire(blocking=False)
        if not mine and self._pid == os.getpid():
            raise WrongState("the worker runs already", operation="worker_run")
        try:
            yield
        finally:
            if mine:
                self._runs.release()

    def _run(self) -> None:
        self._begin()
        display = None if self._show is None else Display(self._show, self._orders)
        performer = Performer(self._native, self._duties, display)
        times = self._options.shutdown_timeout, self._options.kill_timeout
        crew = Crew(self._native, performer, self._orders, *times, display=display)
        _log.info("worker %s started: queues %s, kinds %s", self.name, self._options.queues, self._duties.kinds)
        with (
            obeying_signals(self._native, self._orders, self._orders.listen(self._native), *times),
            self._duties.awaiting(),
        ):
            try:
                self._duties.hooks.tell("start", self)
                crew.work(self._options.threads, self._take)
                if crew.is_left:
                    _native.end_at_exit()
                self._end(0)
                if crew.stuck:
                    raise SystemExit(_STUCK)  # noqa: TRY301  a handler that will not end ends the process
            except BaseException as error:
                with suppress(Error):
                    self._end(0)
                if crew.crashes and isinstance(error, Error):
                    raise crew.crashes[0] from error
                raise
            finally:
                performer.report_refused()
                self._duties.hooks.tell("stop", self)
                _log.info("worker %s stopped", self.name)
        if crew.crashes:
            raise crew.crashes[0]

    def _take(self, timeout_ms: int | None = None) -> Job | None:
        chosen = self._options.chosen
        row = self._native.next(timeout_ms)[0] if chosen is None else chosen.next(self._native, timeout_ms)
        return None if row is None else Job(self._client, self._holder, row)

    def _end(self, timeout_ms: int) -> None:
        self._begin()
        self._over = True
        self._native.stop(timeout_ms)

    def _refuse_loading(self) -> None:
        if self._loading:
            message = "the command runs the worker itself: the application only exports it"
            raise WrongState(message, operation="worker_run")

    def __repr__(self) -> str:
        return f"<manyhands.Worker {self.name}>"

"""Performs one job after another and tells the runtime how each ended."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from manyhands._finished import Finished
from manyhands._holder import outcome_text
from manyhands._outcomes import DONE, RELEASE, UNKNOWN_KIND, Ending, failed, failed_by_rule
from manyhands._running import Running, Runs
from manyhands._wire import json_text
from manyhands.errors import Closed, InvalidArgument, WrongState
from manyhands.interrupted import JobInterrupted
from manyhands.outcome import Outcome

if TYPE_CHECKING:
    from manyhands import _native
    from manyhands._display import Display
    from manyhands._duties import Duties, Handler
    from manyhands.job import Job

_log = logging.getLogger("manyhands")

KILLED, TIMEOUT = "killed", "timeout"

ENDS = SystemExit, KeyboardInterrupt
"""What ends the worker too; any other exception is its job's affair, asyncio.CancelledError too."""


class Performer:
    """What the threads of a worker share: what to do, and where to tell its end."""

    def __init__(self, native: _native.Worker, duties: Duties, display: Display | None = None) -> None:
        self._native = native
        self._duties = duties
        self._finished = Finished()
        self._runs = Runs(None if display is None else display.change)

    def perform(self, job: Job) -> None:
        """Perform a job and tell its outcome; raises what ends the thread, after the job has been told of."""
        running, ended = self._runs.begin(job), None
        try:
            ending = self.outcome_of(job, running.call)
        except JobInterrupted as error:
            ending = self._interrupted(running, error)
        except BaseException as error:  # noqa: BLE001  a handler's SystemExit is raised when its job is told
            if isinstance(error, ENDS):
                ended = error
            ending = RELEASE if running.reason == KILLED and ended is None else self.failed(job, error)
        finally:
            self._runs.end(running)
        self._finish(job, ending)
        if ended is not None:
            raise ended

    def outcome_of(self, job: Job, call: Callable[[Handler, Job], Any]) -> Ending:
        """Run a job's handler with all that is around it; what it chose by returning, or raising an Outcome.

        call: calls the first with the second.

        Any other exception, and InvalidArgument for a result that JSON cannot say, comes through.
        """
        run = self._duties.runs.get(job.kind)
        if run is None:
            return UNKNOWN_KIND
        hooks = self._duties.hooks
        if "before_perform" in hooks.heard:
            hooks.tell("before_perform", job)
        raised: Outcome | None = None
        try:
            try:
                result = call(run, job)
                ending = DONE if result is None and not job._data_changed else ("complete", job._completion(result))
            except Outcome as chosen:
                raised, ending = chosen, (chosen.verb, chosen.fields())
        finally:
            if "after_perform" in hooks.heard:
                hooks.tell("after_perform", job)
        if raised is not None and raised.verb == "fail":
            hooks.tell("failure", job, raised)
        raised = None  # it has this frame, and would be kept by it
        return ending

    def look(self) -> None:
        """Pass on what the runtime has to tell: interrupts to the handlers, refused outcomes to the hooks."""
        for jid, token, reason in self._native.take_interrupts():
            self._runs.interrupt(jid, token, reason)
        self.report_refused()

    def running(self) -> list[Running]:
        """The runs there are now."""
        return self._runs.all()

    def timed_out(self) -> int:
        """How many runs have been told that their time is over, and go on."""
        return sum(running.reason == TIMEOUT for running in self.running())

    def show(self) -> None:
        """What each thread does, to the log."""
        frames = sys._current_frames()
        runs = {running.thread: running for running in self.running()}
        for thread in threading.enumerate():
            frame, running = frames.get(thread.ident or 0), runs.get(thread.ident or 0)
            stack = "".join(traceback.format_stack(frame)) if frame else ""
            if running is None:
                _log.warning("thread %s\n%s", thread.name, stack)
                continue
            if running.waiting is not None and running.waiting.task is not None:
                stack += "awaiting\n" + "".join(_line(frame) for frame in running.waiting.task.get_stack())
            job, said = running.job, "thread %s performs job %s (%s) for %.1f s\n%s"
            _log.warning(said, thread.name, job.jid, job.kind, running.seconds, stack)

    def _interrupted(self, running: Running, error: JobInterrupted) -> Ending:
        job, reason = running.job, running.reason
        if reason in (None, TIMEOUT):
            return self.failed(job, error)
        _log.info("job %s (%s) was interrupted: %s", job.jid, job.kind, reason)
        return RELEASE if reason == KILLED else failed(error)  # a lost one is refused, and that is told

    def failed(self, job: Job, error: BaseException) -> Ending:
        """Tell of what a run raised; its outcome."""
        if not isinstance(error, ENDS):
            _log.warning("job %s (%s) raised %s", job.jid, job.kind, type(error).__name__, exc_info=error)
        job._failed = None  # what it raised says more
        self._duties.hooks.tell("failure", job, error)
        ruled, delay_ms = job._rule or (None, None)
        if ruled is error:
            return failed_by_rule(job.kind, error, delay_ms)
        # The core reckons with what the job says itself.
        backoff = self._duties.backoffs.get(job.kind) if job.backoff is None else None
        delay_ms = None if backoff is None else backoff._after_ms(job)
        return failed(error) if delay_ms is None else failed_by_rule(job.kind, error, delay_ms)

    def tell_failed(self, job: Job) -> None:
        """Tell of a job that its handler has failed itself, unless an error has been told of that it raised then."""
        failed, job._failed = job._failed, None
        if failed is not None:
            self._duties.hooks.tell("failure", job, failed)

    def _finish(self, job: Job, ending: Ending) -> None:
        job._rule = None  # its error has frames that have the job
        if job.token is None or job._holder is None:  # the handler has ended it itself
            self.tell_failed(job)
            return
        if "lock_lost" in self._duties.hooks.heard:
            self._finished.keep(job, job.token)
        try:
            if ending is DONE:  # most are, and a look at the fields costs 1.6 % of a no-op job
                self._native.complete(job.jid, job.token, None)
            elif ending[0] == "complete" and ending[1].keys() == {"result"}:
                self._native.complete(job.jid, job.token, json_text(ending[1]["result"], "result", "job_complete"))
            else:
                self._native.finish(job.jid, job.token, outcome_text(*ending))
        except InvalidArgument as error:  # such as a failure group of 300 bytes
            _log.warning("job %s (%s): its outcome was refused", job.jid, job.kind, exc_info=error)
            self._native.finish(job.jid, job.token, outcome_text(*failed(error)))
        except WrongState:  # it ended the job itself and was refused: that is reported, and the job out of hand
            _log.info("job %s (%s) is out of hand already", job.jid, job.kind)
        except Closed:
            _log.warning("job %s (%s) ended after the worker had stopped: its lease runs out", job.jid, job.kind)

    def report_refused(self) -> None:
        """Tell of the outcomes that were refused since the last call."""
        for jid, token, operation, reason in self._native.take_refused():
            _log.warning("job %s: %s was refused: %s", jid, operation, reason)
            job = self._finished.take(jid, token)
            if job is not None:
                self._duties.hooks.tell("lock_lost", job, reason)


def _line(frame: FrameType) -> str:
    return f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_name}\n'

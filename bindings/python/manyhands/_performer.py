"""Performs one job after another and tells the runtime how each ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from manyhands._finished import Finished
from manyhands._holder import outcome_text
from manyhands._outcomes import UNKNOWN_KIND, Ending, failed
from manyhands.errors import Closed, InvalidArgument, WrongState
from manyhands.outcome import Outcome

if TYPE_CHECKING:
    from manyhands import _native
    from manyhands._duties import Duties, Handler
    from manyhands.job import Job

_log = logging.getLogger("manyhands")


class Performer:
    """What the threads of a worker share: what to do, and where to tell its end."""

    def __init__(self, native: _native.Worker, duties: Duties) -> None:
        self._native = native
        self._duties = duties
        self._finished = Finished()

    def perform(self, job: Job) -> None:
        """Perform a job and tell its outcome; raises what ends the thread, after the job has been told of."""
        try:
            ending = self.outcome_of(job)
        except BaseException as error:
            self._finish(job, self.failed(job, error))
            if not isinstance(error, Exception):
                raise
        else:
            self._finish(job, ending)

    def outcome_of(self, job: Job) -> Ending:
        """Run a job's handler with all that is around it; what it chose by returning, or raising an Outcome.

        Any other exception, and InvalidArgument for a result that JSON cannot say, comes through.
        """
        run = self._duties.run_of(job.kind)
        if run is None:
            return UNKNOWN_KIND
        tell = self._duties.hooks.tell
        tell("before_perform", job, job=job)
        ending = _performed(run, job)
        tell("after_perform", job, job=job)
        return ending

    def failed(self, job: Job, error: BaseException) -> Ending:
        """Tell of what a run raised; its outcome."""
        if isinstance(error, Exception):
            _log.warning("job %s (%s) raised %s", job.jid, job.kind, type(error).__name__, exc_info=error)
        self._duties.hooks.tell("failure", job, error, job=job)
        return failed(error)

    def _finish(self, job: Job, ending: Ending) -> None:
        if job.token is None or not job.in_hand:  # the handler has ended it itself
            return
        if self._duties.hooks.any("lock_lost"):
            self._finished.keep(job, job.token)
        try:
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
                self._duties.hooks.tell("lock_lost", job, reason, job=job)


def _performed(run: Handler, job: Job) -> Ending:
    try:
        result = run(job)
    except Outcome as chosen:
        return chosen.verb, chosen.fields()
    return "complete", job._completion(result)

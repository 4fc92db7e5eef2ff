"""Manyhands: a job system for programs written in several languages. Jobs are kept in Redis.

    from manyhands import Client, Worker

    client = Client()
    client.queue("mail").put("welcome", {"to": "ann@example.com"})

    worker = Worker(client, ["mail"], threads=4)

    @worker.perform("welcome")
    def welcome(job):
        print("hello", job.data["to"])

    worker.run()

Times are seconds: numbers or timedelta in, epoch seconds out.
"""

from manyhands._native import VERSION as __version__
from manyhands.backoff import Backoff
from manyhands.client import Client
from manyhands.config import Config, Settings
from manyhands.errors import (
    Closed,
    Cycle,
    Denied,
    EngineOutdated,
    Error,
    HasDependents,
    Internal,
    InvalidArgument,
    JobExists,
    JobNotFound,
    LockLost,
    NoServerProgram,
    OutcomeUnknown,
    OutOfMemory,
    ReadOnly,
    SchemaMismatch,
    Timeout,
    TooDeep,
    Unavailable,
    UnknownDependency,
    UnknownOperation,
    UnsupportedUrl,
    WrongPartition,
    WrongState,
)
from manyhands.events import Event, Events
from manyhands.interrupted import JobInterrupted
from manyhands.job import Failure, Job, Progress
from manyhands.job_class import JobClass, job
from manyhands.middleware import Middleware, Next, PutMiddleware
from manyhands.outcome import Fail, Retry, Snooze
from manyhands.page import Jids, Page, WorkerJobs
from manyhands.patterns import PatternPriority, Patterns, SavedPatterns
from manyhands.put import Placed, Put, PutOptions
from manyhands.queue import Queue
from manyhands.recurring import Recurring, RecurringOptions
from manyhands.retry_rules import RetryRules
from manyhands.stats import Counts, QueueCounts, Sample, Stats
from manyhands.status import Explanation, Swept, Violation, WorkerStatus
from manyhands.throttle import Throttle, ThrottleCounts
from manyhands.worker import Worker

__all__ = [
    "Backoff",
    "Client",
    "Closed",
    "Config",
    "Counts",
    "Cycle",
    "Denied",
    "EngineOutdated",
    "Error",
    "Event",
    "Events",
    "Explanation",
    "Fail",
    "Failure",
    "HasDependents",
    "Internal",
    "InvalidArgument",
    "Jids",
    "Job",
    "JobClass",
    "JobExists",
    "JobInterrupted",
    "JobNotFound",
    "LockLost",
    "Middleware",
    "Next",
    "NoServerProgram",
    "OutOfMemory",
    "OutcomeUnknown",
    "Page",
    "PatternPriority",
    "Patterns",
    "Placed",
    "Progress",
    "Put",
    "PutMiddleware",
    "PutOptions",
    "Queue",
    "QueueCounts",
    "ReadOnly",
    "Recurring",
    "RecurringOptions",
    "Retry",
    "RetryRules",
    "Sample",
    "SavedPatterns",
    "SchemaMismatch",
    "Settings",
    "Snooze",
    "Stats",
    "Swept",
    "Throttle",
    "ThrottleCounts",
    "Timeout",
    "TooDeep",
    "Unavailable",
    "UnknownDependency",
    "UnknownOperation",
    "UnsupportedUrl",
    "Violation",
    "Worker",
    "WorkerJobs",
    "WorkerStatus",
    "WrongPartition",
    "WrongState",
    "__version__",
    "job",
]

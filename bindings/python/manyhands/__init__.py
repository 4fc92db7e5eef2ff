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
from manyhands.client import Client
from manyhands.config import Config
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
from manyhands.job import Failure, Job
from manyhands.outcome import Fail, Retry, Snooze
from manyhands.queue import Counts, Placed, Queue, Sample, Stats
from manyhands.worker import Worker

__all__ = [
    "Client",
    "Closed",
    "Config",
    "Counts",
    "Cycle",
    "Denied",
    "EngineOutdated",
    "Error",
    "Fail",
    "Failure",
    "HasDependents",
    "Internal",
    "InvalidArgument",
    "Job",
    "JobExists",
    "JobNotFound",
    "LockLost",
    "NoServerProgram",
    "OutOfMemory",
    "OutcomeUnknown",
    "Placed",
    "Queue",
    "ReadOnly",
    "Retry",
    "Sample",
    "SchemaMismatch",
    "Snooze",
    "Stats",
    "Timeout",
    "TooDeep",
    "Unavailable",
    "UnknownDependency",
    "UnknownOperation",
    "UnsupportedUrl",
    "Worker",
    "WrongPartition",
    "WrongState",
    "__version__",
]

"""Each worker process has a database connection of its own: none goes through a fork.

python -m manyhands work reconnect:worker --worker-count 2
"""

import os
import sqlite3

from manyhands import Client, Job, Worker


def connect() -> sqlite3.Connection:
    """Handlers run on threads of the worker: this one has a single thread, else each would have a connection."""
    return sqlite3.connect(os.environ.get("DATABASE", "visits.db"), check_same_thread=False, isolation_level=None)


worker = Worker(Client(), ["visits"], threads=1)
database = connect()
database.execute("CREATE TABLE IF NOT EXISTS visits (page TEXT)")  # the master may well use it before it forks


@worker.on("before_fork")
def disconnect(_worker: Worker) -> None:
    database.close()


@worker.on("after_fork")
def reconnect(_worker: Worker) -> None:
    global database  # noqa: PLW0603
    database = connect()


@worker.perform("visit")
def visit(job: Job) -> int:
    database.execute("INSERT INTO visits VALUES (?)", (job.data["page"],))
    (count,) = database.execute("SELECT count(*) FROM visits WHERE page = ?", (job.data["page"],)).fetchone()
    return int(count)

"""Errors of handlers go to whoever collects them: here, as lines of JSON on standard error.

python -m manyhands work error_reporter:worker
"""

import json
import sys
import traceback

from manyhands import Client, Job, Worker

worker = Worker(Client(), ["orders"])


@worker.on("failure")
def report(job: Job, error: BaseException) -> None:
    """Called after each run that raised; an error in here is logged and harms nobody."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    line = {
        "error": type(error).__name__,
        "message": str(error),
        "where": f"{where.name}:{where.lineno}",
        "job": {"jid": job.jid, "kind": job.kind, "queue": job.queue, "remaining": job.remaining},
    }
    print(json.dumps(line), file=sys.stderr, flush=True)


@worker.perform("ship")
def ship(job: Job) -> None:
    raise LookupError(f"there is no order {job.data['order']}")

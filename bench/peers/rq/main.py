"""RQ's worker that forks no process per job is its quicker one: its documentation, "Workers", "Performance Notes" and
"Custom Worker Classes". Its bulk call: "Queues", "Bulk Job Enqueueing". Results are not kept: "Results".

A job whose worker died is given up, but with RETRY=1 it runs again: a minute after its time limit, when somebody looks,
which is as often as can be set where a worker is killed.
"""

import os

import protocol
from redis import Redis
from rq import Queue, Retry, SimpleWorker

redis = Redis(unix_socket_path=protocol.SOCKET)
# The time limit of the one whose worker may be killed is as short as can be.
queue = Queue("bench", connection=redis, default_timeout=1 if protocol.JOBS == 1 else None)
arguments = {"args": (protocol.PAYLOAD,), "result_ttl": 0}
if "RETRY" in os.environ:
    arguments["retry"] = Retry(max=1)


def put_all() -> None:
    for first in range(0, protocol.JOBS, 1000):
        count = min(1000, protocol.JOBS - first)
        queue.enqueue_many([Queue.prepare_data("jobs.noop", **arguments) for _ in range(count)])


if protocol.PUTS:
    protocol.put(put_all, lambda: queue.enqueue("jobs.noop", **arguments))
else:
    often = {"maintenance_interval": 1} if protocol.SHORT_LEASES else {}
    SimpleWorker([queue], connection=redis, **often).work(logging_level="ERROR")

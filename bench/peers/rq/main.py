"""RQ's worker that forks no process per job is its quicker one. A job whose worker died is given up."""

import protocol
from redis import Redis
from rq import Queue, SimpleWorker

redis = Redis(unix_socket_path=protocol.SOCKET)
queue = Queue("bench", connection=redis)
arguments = {"args": (protocol.PAYLOAD,), "result_ttl": 0}


def put_all() -> None:
    for first in range(0, protocol.JOBS, 1000):
        count = min(1000, protocol.JOBS - first)
        queue.enqueue_many([Queue.prepare_data("jobs.noop", **arguments) for _ in range(count)])


if protocol.PUTS:
    protocol.put(put_all, lambda: queue.enqueue("jobs.noop", **arguments))
else:
    SimpleWorker([queue], connection=redis).work(logging_level="ERROR")

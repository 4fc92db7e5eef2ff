"""Huey has no bulk call, and no leases: a job is off its list before it runs.

Results are off: its documentation, "Huey's API". One thread, its default, or WORKERS, which it advises for throughput,
though threads of one process take turns; no periodic tasks and no health check: "Consuming Tasks", "Options for the
consumer".
"""

import os
import signal

import protocol
from huey import RedisHuey

WORKERS = int(os.environ.get("WORKERS", "1"))
huey = RedisHuey("bench", url=f"unix://{protocol.SOCKET}", results=False)


@huey.task()
def noop(_data: str) -> None:
    protocol.start(lambda: os.kill(os.getpid(), signal.SIGINT))


def put_all() -> None:
    for _ in range(protocol.JOBS):
        noop(protocol.PAYLOAD)


if protocol.PUTS:
    protocol.put(put_all, lambda: noop(protocol.PAYLOAD))
else:
    huey.create_consumer(workers=WORKERS, periodic=False, check_worker_health=False).run()

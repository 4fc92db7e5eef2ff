"""Celery has no bulk call for Redis. One process is its pool "solo"; no results and a large
prefetch are its advice for short tasks.

By default a task is acknowledged before it runs: one whose worker dies is lost.
"""

import os
import signal

import protocol
from celery import Celery

app = Celery("bench", broker=f"redis+socket://{protocol.SOCKET}")
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1000, worker_redirect_stdouts=False)


@app.task(name="noop")
def noop(_data: str) -> None:
    protocol.start(lambda: os.kill(os.getpid(), signal.SIGTERM))


def put_all() -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(protocol.JOBS):
            noop.apply_async((protocol.PAYLOAD,), producer=producer)


if protocol.PUTS:
    protocol.put(put_all, lambda: noop.apply_async((protocol.PAYLOAD,)))
else:
    quiet = ["--loglevel=CRITICAL", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["--quiet", "worker", "--pool=solo", *quiet])

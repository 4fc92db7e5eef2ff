"""Celery has no bulk call for Redis.

One process is its pool "solo": its user guide, "Concurrency". A large prefetch is its advice for short tasks:
"Optimizing", "Prefetch Limits"; no results: "Tasks", "Tips and Best Practices"; no rate limits: "Configuration and
defaults", worker_disable_rate_limits. Producers are taken from the pool: "Calling Tasks", "Connections".

By default a task is acknowledged before it runs, though this pool sends that only when it has returned. With
ACKS_LATE=1 it is acknowledged when it has ended. What was not comes back after the visibility timeout, which is looked
at as often as can be set.
"""

import os
import signal

import protocol
from celery import Celery

app = Celery("bench", broker=f"redis+socket://{protocol.SOCKET}")
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1000, worker_disable_rate_limits=True)
app.conf.update(worker_redirect_stdouts=False)
if "ACKS_LATE" in os.environ:
    app.conf.update(task_acks_late=True)
if protocol.SHORT_LEASES:
    often = {"unacked_restore_interval": 1, "unacked_restore_throttle": 1}
    app.conf.update(broker_transport_options={"visibility_timeout": 1, **often})


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

"""Dramatiq has no bulk call.

Its worker processes are this Worker with 8 threads, as its command makes them: its user guide, "Workers". The harness
sets dramatiq_queue_prefetch to 1,000: "API Reference", "Environment Variables". Its consumer sleeps when it has so many
unacknowledged.
"""

import threading

import dramatiq
import protocol
from dramatiq.brokers.redis import RedisBroker

leases = {"heartbeat_timeout": 1000, "maintenance_chance": 1_000_000} if protocol.SHORT_LEASES else {}
broker = RedisBroker(url=f"unix://{protocol.SOCKET}", **leases)
dramatiq.set_broker(broker)
ended = threading.Event()


@dramatiq.actor
def noop(_data: str) -> None:
    protocol.start(ended.set)


def put_all() -> None:
    for _ in range(protocol.JOBS):
        noop.send(protocol.PAYLOAD)


if protocol.PUTS:
    protocol.put(put_all, lambda: noop.send(protocol.PAYLOAD))
else:
    worker = dramatiq.Worker(broker, worker_threads=8)
    worker.start()
    ended.wait()
    worker.stop()

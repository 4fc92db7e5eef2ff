"""taskiq has no bulk call: 100 puts are under way at once.

Its broker on streams is the one that acknowledges: the README of taskiq-redis, "Brokers". 100 run at once (its default)
and 100 are fetched ahead, advised for systems with high message rates: taskiq's guide, "CLI", "Other parameters".
"""

import asyncio
import contextlib

import protocol
import uvloop
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

PUT_AT_ONCE = 100
leases = {"idle_timeout": 1000, "unacknowledged_lock_timeout": 1} if protocol.SHORT_LEASES else {}
broker = RedisStreamBroker(f"unix://{protocol.SOCKET}", **leases)
loop = uvloop.new_event_loop()  # as its command does
asyncio.set_event_loop(loop)
workers: list[asyncio.Task[None]] = []


@broker.task(task_name="noop")
async def noop(_data: str) -> None:
    protocol.start(lambda: loop.call_later(0.5, workers[0].cancel))


async def put_all() -> None:
    for first in range(0, protocol.JOBS, PUT_AT_ONCE):
        count = min(PUT_AT_ONCE, protocol.JOBS - first)
        await asyncio.gather(*(noop.kiq(protocol.PAYLOAD) for _ in range(count)))


def put_one() -> None:
    loop.run_until_complete(noop.kiq(protocol.PAYLOAD))


async def perform() -> None:
    workers.append(asyncio.create_task(run_receiver_task(broker, max_async_tasks=100, max_prefetch=100)))
    with contextlib.suppress(asyncio.CancelledError):
        await workers[0]


loop.run_until_complete(broker.startup())
if protocol.PUTS:
    protocol.put(lambda: loop.run_until_complete(put_all()), put_one)
else:
    loop.run_until_complete(perform())

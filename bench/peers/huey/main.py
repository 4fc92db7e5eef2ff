"""Huey has no bulk call, and no leases: a job is off its list before it runs.

One thread, as threads of one process take turns. Results are off.
"""

import os
import signal

import protocol
from huey import RedisHuey

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
    huey.create_consumer(workers=1, periodic=False).run()

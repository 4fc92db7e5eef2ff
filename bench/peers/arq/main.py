"""arq has no bulk call: 100 puts are under way at once.

100 jobs run at once, it looks for jobs every 10 ms (by default every half second), no results are kept or logged: the
documentation of `arq.worker.Worker`, max_jobs, poll_delay, keep_result, log_results. It reads 500 at a time by itself.
"""

import asyncio
import os
import signal

import protocol
from arq import Worker, create_pool
from arq.connections import ArqRedis, RedisSettings

settings = RedisSettings(unix_socket_path=protocol.SOCKET)
PUT_AT_ONCE = 100


async def noop(_context: object, _data: str) -> None:
    protocol.start(lambda: os.kill(os.getpid(), signal.SIGTERM))


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)

if protocol.PUTS:
    pool: ArqRedis = loop.run_until_complete(create_pool(settings))

    async def put_all() -> None:
        for first in range(0, protocol.JOBS, PUT_AT_ONCE):
            count = min(PUT_AT_ONCE, protocol.JOBS - first)
            await asyncio.gather(*(pool.enqueue_job("noop", protocol.PAYLOAD) for _ in range(count)))

    protocol.put(
        lambda: loop.run_until_complete(put_all()),
        lambda: loop.run_until_complete(pool.enqueue_job("noop", protocol.PAYLOAD)),
    )
else:
    # It holds a job for its time limit and 10 s.
    limit = 1 if protocol.SHORT_LEASES else 300
    quiet = {"keep_result": 0, "log_results": False, "job_completion_wait": 5, "poll_delay": 0.01}
    Worker([noop], redis_settings=settings, max_jobs=100, job_timeout=limit, **quiet).run()

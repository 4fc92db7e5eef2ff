"""Drains JOBS no-op jobs with a Python worker; prints the seconds it took."""

import os
import time

import manyhands

jobs = int(os.environ["JOBS"])
worker = manyhands.Worker(manyhands.Client(), queues=["bench"], threads=int(os.environ["THREADS"]))
done = 0
begun = 0.0


@worker.perform("noop")
def noop(job: manyhands.Job) -> None:
    global done, begun
    begun = begun or time.monotonic()
    done += 1
    if done == jobs:
        worker.stop()


worker.run()
print(time.monotonic() - begun)

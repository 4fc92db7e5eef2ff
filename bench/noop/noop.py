"""A worker that performs no-op jobs: `python -m manyhands work noop`."""

import manyhands

worker = manyhands.Worker(manyhands.Client(), queues=["bench"])


@worker.perform("noop")
def noop(job: manyhands.Job) -> None:
    pass

import manyhands
import protocol

client = manyhands.Client(f"unix://{protocol.SOCKET}")
queue = client.queue("bench")


def put_all() -> None:
    for first in range(0, protocol.JOBS, 1000):
        count = min(1000, protocol.JOBS - first)
        queue.put_many([{"kind": "noop", "data": protocol.PAYLOAD}] * count)


if protocol.PUTS:
    protocol.put(put_all, lambda: queue.put("noop", protocol.PAYLOAD))
else:
    if protocol.SHORT_LEASES:
        client.config.set("heartbeat", 1)
        client.config.set("grace-period", 0)
    worker = manyhands.Worker(client, queues=["bench"])

    @worker.perform("noop")
    def noop(_job: manyhands.Job) -> None:
        protocol.start(worker.stop)

    worker.run()

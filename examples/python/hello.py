"""Put a job and perform it. Needs no server: the default is a private one in .manyhands."""

from manyhands import Client, Job, Worker

with Client() as client:
    client.queue("greetings").put("hello", {"name": "world"})
    worker = Worker(client, ["greetings"])

    @worker.perform("hello")
    def hello(job: Job) -> None:
        print(f"Hello, {job.data['name']}!")
        worker.stop()  # one greeting is enough

    worker.run()

// A worker that performs no-op jobs: `manyhands work noop.mjs`.
import { Client, Worker } from "manyhands";

const worker = new Worker(new Client(), { queues: ["bench"] });
worker.perform("noop", async () => {});

export default worker;

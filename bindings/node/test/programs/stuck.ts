// A worker whose handler does not end after its timeout. Usage: stuck.js URL NAMESPACE.
import { once } from "node:events";
import { Client, Worker } from "manyhands";

const [url, namespace] = process.argv.slice(2) as [string, string];
const client = new Client(url, { namespace });
const worker = new Worker(client, { queues: ["q"], concurrency: 2, killTimeout: 50 });

let timedOut: () => void;
const afterTimeout = new Promise<void>((resolve) => {
  timedOut = resolve;
});
const stuck = async () => {
  await new Promise(() => {});
};
worker.perform(
  "stuck",
  async (job) => {
    await once(job.signal, "abort");
    timedOut();
    await stuck();
  },
  { timeout: 50 },
);
worker.perform("neighbour", async (job) => {
  await afterTimeout;
  // Until the worker takes no more jobs.
  while ((await client.workers()).items.every(({ status }) => status?.quiet !== true)) {}
  return job.kind;
});
await worker.run();

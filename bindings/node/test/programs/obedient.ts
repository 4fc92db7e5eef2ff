// A worker that its program runs itself. Usage: obedient.js URL NAMESPACE. Says what it does, one line each.
import { once } from "node:events";
import { Client, Worker } from "manyhands";

const [url, namespace] = process.argv.slice(2) as [string, string];
const client = new Client(url, { namespace });
const worker = new Worker(client, { queues: ["q"], concurrency: 3, killTimeout: 10_000, log: "json" });

worker.perform("wait", async (job) => {
  console.log("waiting");
  await once(job.signal, "abort");
  console.log(`interrupted ${job.signal.reason.reason}`);
  throw job.signal.reason;
});
worker.perform("say", (job) => console.log(`said ${job.data}`));
await worker.run();
console.log("stopped");

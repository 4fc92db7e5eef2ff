// A worker in a process of its own. Usage: worker.js URL NAMESPACE. Says what it does, one line each.
import { once } from "node:events";
import { Client, Worker } from "manyhands";

const [url, namespace] = process.argv.slice(2) as [string, string];
const client = new Client(url, { namespace });
const worker = new Worker(client, { queues: ["q"], concurrency: 2 });

worker.perform("hold", async () => {
  process.once("SIGTERM", () => console.log("TERM"));
  console.log("holding");
  await new Promise(() => {});
});
worker.perform("finish at TERM", async () => {
  console.log("waiting for TERM");
  await once(process, "SIGTERM");
  return "finished";
});
worker.perform("exit", async () => {
  setImmediate(() => process.exit(7));
  return "stored";
});
worker.perform("throw", async () => {
  setImmediate(() => {
    throw new Error("nobody catches this");
  });
});

const run = worker.run();
console.log("running");
await run;
console.log("stopped");

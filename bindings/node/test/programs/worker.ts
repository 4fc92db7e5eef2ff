// A worker in a process of its own. Usage: worker.js URL NAMESPACE. Says what it does, one line each.
import { Client, Worker } from "manyhands";

const [url, namespace] = process.argv.slice(2) as [string, string];
const client = new Client(url, { namespace });
const worker = new Worker(client, { queues: ["q"], concurrency: 2 });

worker.perform("hold", async () => {
  console.log("holding");
  await new Promise(() => {});
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
worker.perform("reject", () => void Promise.reject(new Error("nobody handles this")));

await worker.run();
console.log("stopped");

// A worker in a process of its own that obeys signals. Usage: obedient.js URL NAMESPACE. Says what it does, one line each.
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
worker.perform("until QUIT", async (job) => {
  console.log("until QUIT");
  await once(process, "SIGQUIT");
  return job.signal.aborted ? "interrupted" : "finished";
});
worker.perform("say", (job) => console.log(`said ${job.data}`));

const run = worker.run();
process.on("SIGUSR2", () => console.log(`paused ${worker.paused}`));
process.on("SIGCONT", () => console.log(`paused ${worker.paused}`));
console.log("running");
await run;
console.log("stopped");

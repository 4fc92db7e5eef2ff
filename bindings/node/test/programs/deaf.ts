// A worker whose handlers never give the event loop back; one kind has a timeout. Usage: deaf.js URL NAMESPACE MS, which a stop
// leaves to handlers.
import { Client, type Job, Worker } from "manyhands";

const [url, namespace, ms] = process.argv.slice(2) as [string, string, string];
const times = { shutdownTimeout: Number(ms), killTimeout: Number(ms) };
const worker = new Worker(new Client(url, { namespace }), { queues: ["q"], ...times });

const compute = (job: Job) => {
  console.log(`started ${job.jid}`);
  for (;;) {}
};
worker.perform("work", compute);
worker.perform("late", compute, { timeout: 50 });
await worker.run();

// What `manyhands work` runs in tests of what an application itself says: how long its handlers may take to end, how it logs.
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Client, Worker } from "manyhands";

const worker = new Worker(new Client(), { queues: ["q"], killTimeout: 30_000, log: "json" });
/** Has so much to put in order when it is to end that it takes that many milliseconds. */
worker.perform("slow", async (job) => {
  console.log(`started ${job.jid}`);
  await once(job.signal, "abort");
  await setTimeout(Number(job.data));
});

export default worker;

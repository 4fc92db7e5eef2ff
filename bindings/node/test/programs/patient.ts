// What `manyhands work` runs in tests of what an application itself says: how long its handlers may take to end, how it logs.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Client, Worker } from "manyhands";

const worker = new Worker(new Client(), { queues: ["q"], killTimeout: 30_000, log: "json" });
/** When it is to end it has much to put in order, until somebody writes to that pipe. */
worker.perform("slow", async (job) => {
  console.log(`started ${job.jid}`);
  await once(job.signal, "abort");
  console.log("is told to end");
  await readFile(job.data as string);
});

export default worker;

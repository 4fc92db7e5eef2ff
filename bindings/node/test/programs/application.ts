// What `manyhands work` runs in the tests. Where its jobs are, and which queues it serves, the command says.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Client, type Job, Worker } from "manyhands";

const client = new Client("redis://127.0.0.1:1", { namespace: "elsewhere" });
const worker = new Worker(client, { queues: ["elsewhere"], concurrency: 2 });
const kept: Buffer[] = [];

/** Tells the test that the job runs, and where. */
function sayHeld(job: Job): Socket {
  const test = connect(process.env.HOLD as string);
  test.write(`${job.jid} ${process.pid}\n`);
  return test;
}

async function hold(job: Job): Promise<void> {
  const test = sayHeld(job);
  try {
    await once(test, "data", { signal: job.signal });
  } finally {
    if (job.signal.aborted) {
      console.log(`${job.jid} is interrupted: ${job.signal.reason.reason}`);
    }
    test.destroy();
  }
}

worker.perform("hold", hold);
worker.perform("late", hold, { timeout: 50 });
worker.perform("stubborn", async (job) => {
  await once(sayHeld(job), "data");
});
worker.perform("hang", async (job) => void (await once(sayHeld(job), "data")), { timeout: 50 });
worker.perform("compute", async (job) => {
  await once(sayHeld(job), "connect");
  for (;;) {}
});
worker.perform("crash", () => process.abort());
worker.perform("grow", (job) => {
  kept.push(Buffer.alloc(Number(job.data) * 2 ** 20, 1));
  return { pid: process.pid, memory: process.memoryUsage.rss() };
});
worker.perform("note", async (job) => {
  await client.queue("notes").put("note", null, { jid: `note of ${job.jid}`, onConflict: "keep" });
});
worker.perform("put", async () => void (await client.queue("from a handler").put("found")));
worker.on("stop", () => console.log(`stopped ${process.pid}`));

export default async () => worker;

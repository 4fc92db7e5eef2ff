import { Queue, Worker } from "bullmq";
import { payload, put, puts, shortLeases, socket, start } from "./protocol.mjs";

const connection = { path: socket };

if (puts) {
  const queue = new Queue("bench", { connection });
  const bulk = (count) => queue.addBulk(Array(count).fill({ name: "noop", data: payload }));
  await put(1000, bulk, () => queue.add("noop", payload));
  await queue.close();
} else {
  // Completed jobs are removed at once, and many run at once, as they do nothing but wait for each other.
  const leases = shortLeases ? { lockDuration: 1000, stalledInterval: 1000 } : {};
  const options = { connection, concurrency: 100, removeOnComplete: { count: 0 }, ...leases };
  const worker = new Worker("bench", async () => start(() => worker.close()), options);
}

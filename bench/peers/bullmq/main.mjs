import { Queue, Worker } from "bullmq";
import { payload, put, puts, shortLeases, socket, start } from "./protocol.mjs";

const connection = { path: socket };

if (puts) {
  const queue = new Queue("bench", { connection });
  // BullMQ's guide: "Queues", "Adding jobs in bulk".
  const bulk = (count) => queue.addBulk(Array(count).fill({ name: "noop", data: payload }));
  await put(1000, bulk, () => queue.add("noop", payload));
  await queue.close();
} else {
  // Many run at once, as they do nothing but wait for each other; completed jobs are removed at once. BullMQ's guide: "Workers",
  // "Concurrency" and "Auto-removal of jobs".
  const leases = shortLeases ? { lockDuration: 1000, stalledInterval: 1000 } : {};
  const options = { connection, concurrency: 100, removeOnComplete: { count: 0 }, ...leases };
  const worker = new Worker("bench", async () => start(() => worker.close()), options);
}

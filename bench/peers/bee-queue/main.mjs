import Queue from "bee-queue";
import { payload, put, puts, shortLeases, socket, start } from "./protocol.mjs";

// No events, and jobs are removed when they end. Its README: "Optimizing Redis Connections", "Settings", "Under the hood".
const queue = new Queue("bench", {
  redis: { path: socket },
  isWorker: !puts,
  getEvents: false,
  sendEvents: false,
  storeJobs: false,
  removeOnSuccess: true,
  ...(shortLeases && { stallInterval: 1000 }),
});

if (puts) {
  // Its README: "Advanced: Bulk-Creating Jobs".
  await put(
    1000,
    (count) => queue.saveAll(Array.from({ length: count }, () => queue.createJob({ payload }))),
    () => queue.createJob({ payload }).save(),
  );
  await queue.close();
} else {
  if (shortLeases) {
    queue.checkStalledJobs(1000);
  }
  // Its README: "Processing Jobs"; its own benchmarks have it vary.
  queue.process(100, async () => start(() => queue.close()));
}

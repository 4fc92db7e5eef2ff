import { Client, Worker } from "manyhands";
import { payload, put, puts, shortLeases, socket, start } from "./protocol.mjs";

const client = new Client(`unix://${socket}`);
const queue = client.queue("bench");

if (puts) {
  const bulk = (count) => queue.putMany(Array(count).fill({ kind: "noop", data: payload }));
  await put(1000, bulk, () => queue.put("noop", payload));
} else {
  if (shortLeases) {
    await client.config.set("heartbeat", 1000);
    await client.config.set("grace-period", 0);
  }
  const worker = new Worker(client, { queues: ["bench"] });
  worker.perform("noop", async () => start(() => worker.stop()));
  await worker.run();
}
await client.close();

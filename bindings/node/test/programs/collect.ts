// Leaves clients, workers and subscriptions to the garbage collector. Usage: collect.js URL NAMESPACE, with --expose-gc.
import { setImmediate } from "node:timers/promises";
import { Client, Worker } from "manyhands";

const [url, namespace] = process.argv.slice(2) as [string, string];
const collect = (globalThis as { gc?: () => void }).gc as () => void;
const rounds = 60;
let collected = 0;
const registry = new FinalizationRegistry(() => {
  collected += 1;
});

async function use(): Promise<void> {
  const client = new Client(url, { namespace });
  registry.register(client, undefined);
  const queue = client.queue("q");
  const worker = new Worker(client, { queues: ["q"] }).perform("k", () => {});
  registry.register(worker, undefined);
  const loop = new Worker(client, { queues: ["another"] });
  registry.register(loop, undefined);
  await loop.next({ timeout: 0 });
  registry.register(await client.events().ready(), undefined);
  await queue.put("k", "x".repeat(1000));
  const [job] = await queue.reserve();
  collect();
  await job?.complete();
}

for (let round = 0; round < rounds; round += 1) {
  await use();
}
while (collected < 4 * rounds - 4) {
  collect();
  await setImmediate();
}
const watcher = new Client(url, { namespace });
console.log(`completed ${(await watcher.queue("q").stats()).run.count}`);
console.log("collected");
// What stays open is what the connections of the last round need, not one per client.
await watcher.close();

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { Fail, Job, Worker } from "manyhands";
import { Performing } from "../node_modules/manyhands/dist/performing.js";
import { Rounds } from "../node_modules/manyhands/dist/rounds.js";
import { freshClient } from "./server.js";

const deaf = { before: () => {}, failed: () => {}, after: () => {}, began: () => {} };

test("what keeps the end of a handler from starting the next job, the run throws", async () => {
  const performing = new Performing(deaf);
  performing.handlers.set("k", async () => {});
  const takes = [
    () => Job.build("k"),
    () => {
      throw new Error("out of order");
    },
  ];
  const take = () => takes.shift()?.() ?? null;
  const hands = { running: new Set(), take, handOver: () => {}, native: { next: async () => null } };
  await assert.rejects(new Rounds(hands as never, performing, deaf).go(1), /out of order/);
});

test("timers and sockets have their turn while there are jobs", async () => {
  const client = freshClient();
  await client.queue("q").putMany(Array(500).fill({ kind: "k" }));
  const worker = new Worker(client, { queues: ["q"], maxJobs: 500 });
  const performed = [0];
  worker.perform("k", () => {
    performed.push((performed.pop() as number) + 1);
    for (const until = performance.now() + 1; performance.now() < until; ) {}
  });
  let turn = setImmediate(function taken() {
    performed.push(0);
    turn = setImmediate(taken);
  });
  await worker.run();
  clearImmediate(turn);
  const most = Math.max(...performed);
  assert.ok(most < 50, `${most} were performed between two turns`);
});

for (const concurrency of [1, 10]) {
  test(`handlers run in the async context of the run, whatever a listener enters, ${concurrency} at once`, async () => {
    const client = freshClient();
    const kinds = ["done", "failed"].map((kind) => ({ kind }));
    await client.queue("q").putMany(Array(100).fill(kinds).flat());
    const worker = new Worker(client, { queues: ["q"], concurrency, maxJobs: 200 });
    const storage = new AsyncLocalStorage<string>();
    const stores: unknown[] = [];
    worker.perform("done", async () => {
      stores.push(storage.getStore());
    });
    worker.perform("failed", async () => {
      stores.push(storage.getStore());
      throw new Fail("g");
    });
    worker.on("afterPerform", () => storage.enterWith("afterPerform's"));
    worker.on("failure", () => storage.enterWith("failure's"));
    await storage.run("the run's", () => worker.run());
    assert.deepEqual(stores, Array(200).fill("the run's"));
  });
}

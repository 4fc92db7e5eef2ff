import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Job, Worker } from "manyhands";
import { Performing } from "../node_modules/manyhands/dist/performing.js";
import { Rounds } from "../node_modules/manyhands/dist/rounds.js";
import { freshClient } from "./server.js";

const deaf = { before: () => {}, failed: () => {}, after: () => {}, began: () => {} };

test("what keeps the end of a handler from starting the next job, the run throws", async () => {
  const performing = new Performing(deaf);
  performing.handlers.set("k", async () => {});
  const jobs = [Job.build("k")];
  const take = () => {
    const job = jobs.pop();
    if (job === undefined) {
      throw new Error("out of order");
    }
    return job;
  };
  const hands = { running: new Set(), take, handOver: () => {} };
  await assert.rejects(new Rounds(hands as never, performing, deaf).go(1), /out of order/);
});

test("timers and sockets have their turn while there are jobs", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.putMany(Array(200).fill({ kind: "k" }));
  const worker = new Worker(client, { queues: ["q"] });
  let performed = 0;
  worker.perform("k", () => {
    performed += 1;
    for (const until = performance.now() + 1; performance.now() < until; ) {}
  });
  const run = worker.run();
  while (performed === 0) {
    await setImmediate();
  }
  await setImmediate();
  assert.ok(performed < 150, `${performed} were performed before`);
  await worker.stop();
  await run;
});

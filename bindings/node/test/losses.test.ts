import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import {
  type Client,
  InvalidArgument,
  Job,
  JobInterrupted,
  LockLost,
  type PutOptions,
  Worker,
  WrongState,
} from "manyhands";
import { DONE } from "../node_modules/manyhands/dist/ending.js";
import { Hands } from "../node_modules/manyhands/dist/hands.js";
import { freshClient, written } from "./server.js";

interface Scene {
  client: Client;
  worker: Worker;
  /** Puts the job anew, whoever runs it: who does has lost it. */
  replace(options?: PutOptions): Promise<unknown>;
}

/** A worker, and the job `one` in its queue. */
async function scene(): Promise<Scene> {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", "old", { jid: "one" });
  const worker = new Worker(client, { queues: ["q"] });
  const replace = (options: PutOptions = {}) =>
    queue.put("k", "new", { jid: "one", onConflict: "move", delay: 60_000, ...options });
  return { client, worker, replace };
}

test("a handler whose lease is lost hears of it within 2 s, and its outcome counts for nothing", async () => {
  const { client, worker, replace } = await scene();
  worker.perform("k", async (job) => {
    await replace();
    const lost = performance.now();
    await once(job.signal, "abort");
    assert.ok(performance.now() - lost < 2_000);
    assert.ok(job.signal.reason instanceof JobInterrupted);
    assert.equal(job.signal.reason.reason, "replaced");
    return "too late";
  });
  const lost = once(worker, "lockLost");
  const run = worker.run();
  const [job, reason] = await lost;
  assert.deepEqual([job.jid, job.data, reason], ["one", "old", "replaced"]);
  worker.on("lockLost", () => assert.fail("told twice"));
  await worker.stop();
  await run;
  const now = await client.job("one");
  assert.deepEqual([now?.state, now?.data, now?.rawResult], ["scheduled", "new", null]);
});

test("a handler that ends because its job is lost has not failed, whatever brings it the reason", async (t) => {
  const lines = written(t);
  const { client, worker, replace } = await scene();
  await client.queue("q").put("k", "old", { jid: "other" });
  const ends: [(job: Job) => unknown, () => Promise<unknown>][] = [
    [({ signal }) => once(new EventEmitter(), "never", { signal }), replace],
    [
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      async () => client.cancel(["other"]),
    ],
  ];
  worker.perform("k", async (job) => {
    const [end, lose] = ends.shift() as (typeof ends)[number];
    await lose();
    await end(job);
  });
  worker.on("failure", () => assert.fail("it is no failure"));
  let left = ends.length;
  worker.on("afterPerform", () => {
    left -= 1;
    if (left === 0) {
      worker.stop();
    }
  });
  await worker.run();
  assert.deepEqual(
    lines.map((line) => line.slice(0, line.indexOf(":", 12))),
    ["manyhands: lock lost (replaced)", "manyhands: lock lost (cancelled)"],
  );
});

test("an outcome that is refused is told, though the handler has ended", async () => {
  const { client, worker, replace } = await scene();
  worker.perform("k", async () => {
    await replace();
    worker.stop();
  });
  const lost = once(worker, "lockLost");
  await worker.run();
  const [job, reason] = await lost;
  assert.deepEqual([job.jid, job.kind, job.queue, reason], ["one", "k", "q", "replaced"]);
  assert.equal((await client.job("one"))?.data, "new");
});

test("a listener that throws, or rejects, is logged, and the worker goes on", async (t) => {
  const lines = written(t);
  const { client, worker, replace } = await scene();
  worker.on("lockLost", async () => {
    throw new Error("rejected");
  });
  worker.on("lockLost", () => {
    throw new Error("thrown");
  });
  worker.perform("k", async (job) => {
    if (job.data === "old") {
      await replace({ delay: 0 });
      await once(job.signal, "abort");
    } else {
      worker.stop();
    }
  });
  await worker.run();
  assert.equal((await client.job("one"))?.state, "completed");
  for (const what of ["thrown", "rejected"]) {
    const logged = lines.filter((line) => line.includes(`a lockLost listener threw for job one: Error: ${what}`));
    assert.equal(logged.length, 1, lines.join());
  }
});

test("an outcome that the engine cannot take is told with the job, and why", async (t) => {
  const lines = written(t);
  const client = freshClient();
  await client.config.set("max-data", 1024);
  await client.queue("q").put("k", { a: 1 }, { jid: "long", retries: 0 });
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", () => "x".repeat(2000));
  const told = once(worker, "lockLost");
  const run = worker.run();
  const [job, reason] = await told;
  await worker.stop();
  await run;
  assert.ok(job instanceof Job);
  assert.deepEqual([job.jid, job.data], ["long", { a: 1 }]);
  assert.match(reason, /^INVALID_ARGUMENT: .*result has 2002 bytes/);
  assert.equal((await client.job("long"))?.failure?.group, "k:INVALID_ARGUMENT");
  assert.ok(lines.some((line) => /^manyhands: job_complete of job long was refused: INVALID/.test(line)));
});

test("a job that its handler ended itself is told of too, when that was refused", async (t) => {
  written(t);
  const { worker, replace } = await scene();
  worker.perform("k", async (job) => {
    await replace();
    await assert.rejects(job.complete(), LockLost);
    worker.stop();
  });
  const told = once(worker, "lockLost");
  await worker.run();
  const [job, reason] = await told;
  assert.deepEqual([job.data, reason], ["old", "replaced"]);
});

test("a handler may move, time out or cancel its own job, which is no loss", async (t) => {
  const lines = written(t);
  const client = freshClient();
  const queue = client.queue("q");
  await queue.putMany(["move", "timeout", "cancel", "lost"].map((kind) => ({ kind, jid: kind })));
  const worker = new Worker(client, { queues: ["q"], concurrency: 4 });
  const lost: string[] = [];
  worker.on("lockLost", (job) => lost.push(job.jid));
  const told = once(worker, "lockLost");
  const held: Job[] = [];
  const ending = (act: (job: Job) => Promise<unknown>) => async (job: Job) => {
    if (held.some(({ jid }) => jid === job.jid)) {
      await job.snooze(60_000);
      return;
    }
    held.push(job);
    await act(job);
    await assert.rejects(job.complete(), WrongState);
    await job.log("gone").catch((error) => assert.equal(error.name, "JOB_NOT_FOUND"));
    // By then the worker has heard what became of all its jobs.
    await told;
    assert.equal(job.signal.aborted, false);
  };
  worker.perform(
    "move",
    ending((job) => job.requeue({ delay: 60_000 })),
  );
  worker.perform(
    "timeout",
    ending((job) => job.timeout()),
  );
  worker.perform(
    "cancel",
    ending((job) => job.cancel()),
  );
  worker.perform("lost", async () => {
    while (held.length < 3) {
      await setImmediate();
    }
    await queue.put("lost", null, { jid: "lost", onConflict: "move", delay: 60_000 });
    await told;
    worker.stop();
  });
  await worker.run();
  assert.deepEqual(lost, ["lost"]);
  assert.equal(lines.length, 1, lines.join());
  assert.deepEqual(
    (await client.jobs(["move", "cancel"])).map((job) => job?.state),
    ["scheduled", undefined],
  );
});

test("who takes jobs by a loop hears of a lost lease as well", async (t) => {
  written(t);
  const { worker, replace } = await scene();
  const job = (await worker.next()) as Job;
  const told = once(worker, "lockLost");
  await replace();
  await once(job.signal, "abort");
  assert.deepEqual(await told, [job, "replaced"]);
  await assert.rejects(job.complete(), LockLost);
  await worker.stop();
});

test("a job of a loop whose outcome the engine cannot take is out of hand", async (t) => {
  written(t);
  const client = freshClient();
  await client.config.set("max-data", 1024);
  await client.queue("q").put("k");
  const worker = new Worker(client, { queues: ["q"] });
  const job = (await worker.next()) as Job;
  await assert.rejects(job.complete("x".repeat(2000)), InvalidArgument);
  while (worker.running > 0) {
    await setImmediate();
  }
  await worker.stop();
  assert.equal((await client.job(job.jid))?.state, "scheduled", "it runs again for that error");
});

test("a finished job is kept until the engine has answered, and no longer", (t) => {
  written(t);
  const refusals: unknown[] = [];
  let unanswered = 0;
  const native = {
    takeInterrupts: () => [],
    takeRefused: () => refusals.splice(0),
    unanswered: () => unanswered,
    taker: () => () => null,
    finisher: () => () => {},
  };
  const told: string[] = [];
  const lockLost = ({ jid }: Job) => void told.push(jid);
  const hands = new Hands({} as never, native as never, { listens: () => true, lockLost });
  const end = (jid: string) => hands.handOver(Job.build("k", null, { jid }), DONE);
  const refuse = (jid: string) => refusals.push({ jid, token: null, operation: "job_complete", reason: "expired" });
  ["answered", "refused", "late"].map(end);
  unanswered = 1;
  refuse("refused");
  hands.look();
  assert.deepEqual([told, hands.waits], [["refused"], true]);
  refuse("answered");
  refuse("late");
  hands.look();
  assert.deepEqual([told, hands.waits], [["refused", "late"], false]);
});

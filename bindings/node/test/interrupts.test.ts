import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { defineJob, InvalidArgument, Job, JobInterrupted, Worker } from "manyhands";
import { Hands } from "../node_modules/manyhands/dist/hands.js";
import { clientOf, freshClient, oneOfThreeWithin, start, written } from "./server.js";
import { started } from "./service.js";

test("a killed handler's job is given back once it has ended, no retry spent; one that returns is done", async (t) => {
  const lines = written(t);
  const client = freshClient();
  await client.queue("q").putMany(["ends", "returns"].map((kind) => ({ kind, jid: kind })));
  const worker = new Worker(client, { queues: ["q"], concurrency: 2 });
  const reasons: unknown[] = [];
  const run = new Promise<void>((resolve) => {
    worker.perform("ends", async (job) => {
      if (reasons.length > 0) {
        resolve(worker.stop());
        return "at last";
      }
      await once(job.signal, "abort");
      assert.equal((await client.job("ends"))?.state, "running", "not before its handler has ended");
      reasons.push(job.signal.reason);
      job.signal.throwIfAborted();
    });
    worker.perform("returns", async (job) => {
      worker.killRunning();
      assert.equal(job.signal.aborted, true);
      return "done";
    });
  });
  const ends: string[] = [];
  worker.on("afterPerform", (job, end) => ends.push(`${job.kind} ${end}`));
  worker.on("failure", () => assert.fail("it is no failure"));
  await worker.run();
  await run;
  const [killed, returned] = (await client.jobs(["ends", "returns"])) as [Job, Job];
  const [reason] = reasons as [JobInterrupted];
  assert.ok(reason instanceof JobInterrupted);
  assert.deepEqual([reason.reason, reason.jid, reason.message], ["killed", "ends", "job ends was interrupted: killed"]);
  assert.deepEqual([killed.state, killed.result, killed.remaining], ["completed", "at last", 5]);
  assert.deepEqual([returned.state, returned.result], ["completed", "done"]);
  assert.deepEqual(ends.sort(), ["ends complete", "ends release", "returns complete"]);
  assert.deepEqual(lines, []);
});

test("a handler that runs longer than its timeout is interrupted, and spends a retry", async (t) => {
  written(t);
  const client = freshClient();
  const kinds = ["own", "class", "said", "general"];
  await client.queue("q").putMany(kinds.map((kind) => ({ kind, jid: kind, retries: kind === "own" ? 0 : 1 })));
  const wait = async (job: Job) => {
    await once(job.signal, "abort");
    throw job.signal.reason;
  };
  const worker = new Worker(client, { queues: ["q"], concurrency: 4, timeout: 30 });
  worker.perform("own", wait, { timeout: 20 });
  worker.perform(defineJob({ kind: "class", timeout: 10 }, wait));
  worker.perform(defineJob({ kind: "said", timeout: 60_000 }, wait), { timeout: 10 });
  worker.perform("general", wait);
  let left = kinds.length;
  const failures: unknown[] = [];
  worker.on("failure", (_, error) => failures.push((error as JobInterrupted).reason));
  worker.on("afterPerform", () => {
    left -= 1;
    if (left === 0) {
      worker.stop();
    }
  });
  await worker.run();
  assert.deepEqual(failures, ["timeout", "timeout", "timeout", "timeout"]);
  const [own, ofClass, said, general] = (await client.jobs(kinds)) as [Job, Job, Job, Job];
  assert.deepEqual([own.state, own.failure?.group], ["failed", "own:JobInterrupted"]);
  assert.deepEqual([ofClass.state, ofClass.remaining], ["scheduled", 0]);
  assert.deepEqual([said.state, said.remaining], ["scheduled", 0]);
  assert.deepEqual([general.state, general.remaining], ["scheduled", 0]);
  assert.throws(() => new Worker(client, { queues: ["q"], timeout: 0 }), InvalidArgument);
  assert.throws(() => new Worker(client, { queues: ["q"] }).perform("k", wait, { timeout: 0 }), InvalidArgument);
  assert.throws(
    () => new Worker(client, { queues: ["q"] }).perform("k", wait, { time: 1 } as never),
    /time is unknown/,
  );
  assert.throws(() => defineJob({ kind: "k", timeout: -1 }, wait), /timeout -1 is negative/);
});

test("what should end a handler reaches it within two seconds: with the next pulse or look", async (t) => {
  // The lease is of an hour, so that nothing is heard by renewing it; the pulse comes each second, the look ten times in one.
  const service = await started(["--thread-count", "2"]);
  const queue = service.client.queue("q");
  await service.client.config.set("heartbeat", 3_600_000);
  const causes: [reason: string, kind: string, cause: (job: Job) => unknown][] = [
    ["cancelled", "hold", (job) => job.cancel()],
    ["expired", "hold", (job) => job.timeout()],
    ["replaced", "hold", ({ jid }) => queue.put("hold", null, { jid, onConflict: "move", delay: 3_600_000 })],
    ["timeout", "late", () => {}],
    ["killed", "hold", () => service.signal("SIGUSR1")],
  ];
  for (const [reason, kind, cause] of causes) {
    await oneOfThreeWithin(t, reason, 2_000, async () => {
      const { jid } = await queue.put(kind, null, { retries: 0 });
      const held = await service.held();
      const job = await service.job(jid);
      const began = performance.now();
      await cause(job);
      await service.program.line(`${jid} is interrupted: ${reason}`);
      const took = performance.now() - began;
      await held.ended;
      if (reason === "killed") {
        // It runs again.
        (await service.held()).finish();
      }
      return took;
    });
  }
  service.signal("SIGQUIT");
  assert.equal(await service.program.ended, 0);
});

test("a handler that does not end after its timeout takes the process with it, after its neighbours", async () => {
  const client = freshClient();
  await client.queue("q").put("stuck", null, { jid: "stuck" });
  await client.queue("q").put("neighbour", null, { jid: "neighbour" });
  const program = start("stuck", client);
  assert.equal(await program.ended, 70);
  const [stuck, neighbour] = (await client.jobs(["stuck", "neighbour"])) as [Job, Job];
  assert.deepEqual([stuck.state, stuck.remaining], ["waiting", stuck.retries - 1], "given back, a retry spent");
  assert.deepEqual([neighbour.state, neighbour.result], ["completed", "neighbour"]);
});

test("a paused worker takes nothing, and goes on when it is resumed", async () => {
  const client = freshClient();
  const [paused, other] = [0, 1].map(() => new Worker(client, { queues: ["q"] })) as [Worker, Worker];
  paused.pause();
  const performed: string[] = [];
  paused.perform("k", (job) => {
    performed.push(job.jid);
    paused.stop();
  });
  const run = paused.run();
  await client.queue("q").put("k", null, { jid: "first" });
  const job = (await other.next()) as Job;
  assert.deepEqual([job.jid, paused.paused], ["first", true]);
  await job.complete();
  await other.stop();
  paused.resume();
  await client.queue("q").put("k", null, { jid: "second" });
  await run;
  assert.deepEqual([performed, paused.paused], [["second"], false]);
});

test("a worker is paused, resumed and stopped from afar", async () => {
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  const first = new Promise<void>((resolve) => worker.perform("k", () => resolve()));
  const run = worker.run();
  await client.queue("q").put("k");
  await first;
  const until = async (paused: boolean) => {
    while (worker.paused !== paused) {
      await setImmediate();
    }
  };
  while ((await client.order(worker.name, "pause")) === 0) {}
  await until(true);
  assert.equal(await client.order(worker.name, "resume"), 1);
  await until(false);
  assert.equal(await client.order(worker.name, "stop"), 1);
  await run;
});

test("a worker that another client tells to be quiet takes no jobs any more, and lives on until it is told to stop", async () => {
  const client = freshClient();
  const operator = clientOf(client.namespace);
  const worker = new Worker(client, { queues: ["q"], concurrency: 2 });
  const told = new EventEmitter();
  const performed: string[] = [];
  worker.perform("k", async (job) => {
    performed.push(job.jid);
    told.emit("begun");
    await once(told, "end");
  });
  let runs = true;
  const run = worker.run().finally(() => {
    runs = false;
  });
  const begun = once(told, "begun");
  const { jid } = await client.queue("q").put("k");
  await begun;
  assert.equal(await operator.order(worker.name, "quiet"), 1);
  while ((await operator.workers()).items[0]?.status?.quiet !== true) {}
  const late = await client.queue("q").put("k");
  const ended = once(worker, "afterPerform");
  told.emit("end");
  await ended;
  while ((await operator.job(jid))?.state !== "completed") {}
  assert.deepEqual([performed, runs, (await operator.job(late.jid))?.state], [[jid], true, "waiting"]);
  assert.equal(await operator.order(worker.name, "stop"), 1);
  await run;
  assert.deepEqual([performed, (await operator.job(late.jid))?.state], [[jid], "waiting"]);
});

test("a program that runs its worker itself obeys signals too: TTIN writes what is under way, TERM interrupts it", async () => {
  const client = freshClient();
  await client.queue("q").put("wait", null, { jid: "one" });
  const program = start("obedient", client);
  await program.line("waiting");
  program.child.kill("SIGTTIN");
  await program.line(/^manyhands: worker \S+ takes jobs; under way: 1$/);
  await program.line(/^manyhands: job one \(wait\) of queue q runs for \d+ ms$/);
  await program.line(/^manyhands: the event loop waits for /);
  await client.queue("q").put("say", "something");
  await program.line("said something");
  await program.line(/^\{.*"kind":"say".*"outcome":"complete".*\}$/);
  program.child.kill("SIGTERM");
  await program.line("interrupted killed");
  await program.line("stopped");
  assert.equal(await program.ended, 0);
});

test("an interrupt waits for a job on its way here, and not for good for one that has gone", () => {
  const interrupts: unknown[] = [];
  const native = {
    takeInterrupts: () => interrupts.splice(0),
    takeRefused: () => [],
    taker: () => () => null,
    finisher: () => () => {},
  };
  const hands = new Hands({} as never, native as never, { listens: () => false, lockLost: () => {} });
  const interruptedAfter = (looks: number, jid: string) => {
    const job = Job.build("k", null, { jid });
    interrupts.push({ jid, token: job.token, reason: "killed" });
    for (let look = 0; look < looks; look += 1) {
      hands.look();
    }
    hands.running.add(job);
    hands.look();
    return job.signal.aborted;
  };
  assert.deepEqual([interruptedAfter(1, "comes"), interruptedAfter(100, "gone")], [true, false]);
});

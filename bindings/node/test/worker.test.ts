import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Client, Fail, type Job, LockLost, Retry, Snooze, Worker } from "manyhands";
import { freshClient, redis, signalServer, stopClock, url } from "./server.js";

test("jobs are performed, their results stored, their route followed", async () => {
  const client = freshClient();
  const { jid } = await client.queue("first").put("double", { n: 4 }, { route: ["second"] });
  const worker = new Worker(client, { queues: ["first", "second"] });
  worker.perform<{ n: number }>("double", async (job) => {
    job.data = { n: job.data.n * 2 };
    if (job.queue === "second") {
      worker.stop();
      return job.data;
    }
  });
  await worker.run();
  const job = await client.job(jid);
  assert.deepEqual([job?.state, job?.result], ["completed", { n: 16 }]);
  assert.equal(job?.history.find((event) => event.what === "reserved")?.worker, worker.name);
});

test("a worker that waits starts a job when it is put", async () => {
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  const started = new Promise<Job>((resolve) => worker.perform("k", resolve));
  const run = worker.run();
  const { jid } = await client.queue("q").put("k");
  assert.equal((await started).jid, jid);
  await worker.stop();
  await run;
  assert.equal((await client.job(jid))?.state, "completed");
});

test("many jobs are drained, as many at once as asked and no more", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const jobs = 3000;
  for (let from = 0; from < jobs; from += 1000) {
    await queue.putMany(Array.from({ length: 1000 }, (_, index) => ({ kind: "k", data: from + index })));
  }
  const worker = new Worker(client, { queues: ["q"], concurrency: 20 });
  const seen: number[] = [];
  let most = 0;
  worker.perform<number>("k", async (job) => {
    most = Math.max(most, worker.running);
    await new Promise(setImmediate);
    seen.push(job.data);
    if (seen.length === jobs) {
      worker.stop();
    }
  });
  await worker.run();
  assert.equal(new Set(seen).size, jobs);
  assert.equal(seen.length, jobs);
  assert.ok(most > 1 && most <= 20, `${most} at once`);
  const counts = await queue.counts();
  assert.deepEqual([counts.waiting, counts.running], [0, 0]);
  assert.equal((await queue.stats()).run.count, jobs);
});

test("a handler that throws has its job run again, then failed in the group of the error's class", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  const { jid } = await client.queue("q").put("print", null, { retries: 1 });
  class NoInk extends Error {}
  const runOnce = async () => {
    const worker = new Worker(client, { queues: ["q"] });
    worker.perform("print", async () => {
      worker.stop();
      throw new NoInk("the cyan one \ud83d is empty");
    });
    await worker.run();
    return client.job(jid);
  };
  const again = await runOnce();
  assert.deepEqual([again?.state, again?.remaining, again?.history.at(-1)?.what], ["scheduled", 0, "retried"]);
  await move((again?.dueAt as number) - (again?.history.at(-1)?.at as number));
  const failed = await runOnce();
  assert.equal(failed?.state, "failed");
  assert.equal(failed?.failure?.group, "print:NoInk");
  assert.equal(failed?.failure?.message, "the cyan one \ufffd is empty");
  assert.match(failed?.failure?.trace ?? "", /at .*worker\.test\.js/);
});

test("what a handler throws decides how its job goes on", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  const queue = client.queue("q");
  const abort = new AbortController();
  abort.abort();
  const about = { operation: null, jid: null, reason: null, retryable: false };
  const lost = { code: 201, name: "LOCK_LOST", message: "another worker has it", ...about };
  const table: Record<string, { thrown: unknown; state: string; group?: string; remaining?: number }> = {
    fail: { thrown: new Fail("paper jam", "tray 2"), state: "failed", group: "paper jam", remaining: 1 },
    retry: { thrown: new Retry(), state: "waiting", remaining: 0 },
    later: { thrown: new Retry(1000), state: "scheduled", remaining: 0 },
    snooze: { thrown: new Snooze(1000), state: "scheduled", remaining: 1 },
    text: { thrown: "no error at all", state: "failed", group: "text:string" },
    nothing: { thrown: undefined, state: "failed", group: "nothing:undefined" },
    abort: { thrown: abort.signal.reason, state: "failed", group: "abort:AbortError" },
    unreturnable: { thrown: null, state: "failed", group: "unreturnable:INVALID_ARGUMENT" },
    unsayable: { thrown: new Fail("g".repeat(300)), state: "failed", group: "unsayable:INVALID_ARGUMENT" },
    ours: { thrown: new LockLost(lost), state: "failed", group: "ours:LOCK_LOST" },
    theirs: { thrown: new TypeError("no"), state: "failed", group: "theirs:TypeError" },
  };
  const jids = new Map<string, string>();
  for (const [kind, { state }] of Object.entries(table)) {
    const retries = state === "failed" && kind !== "fail" ? 0 : 1;
    jids.set(kind, (await queue.put(kind, null, { retries })).jid);
  }
  const worker = new Worker(client, { queues: ["q"] });
  const left = new Set(Object.keys(table));
  for (const [kind, { thrown }] of Object.entries(table)) {
    worker.perform(kind, async (job) => {
      left.delete(kind);
      if (left.size === 0) {
        worker.stop();
      }
      if (kind === "unreturnable") {
        return { pages: 3n };
      }
      // A job that is retried at once comes again while the others run: it is then put off for good.
      throw job.remaining === 0 && kind === "retry" ? new Fail("again") : thrown;
    });
  }
  await worker.run();
  for (const [kind, { state, group, remaining }] of Object.entries(table)) {
    const job = await client.job(jids.get(kind) as string);
    const stateNow = kind === "retry" && job?.failure?.group === "again" ? "waiting" : job?.state;
    assert.equal(stateNow, state, kind);
    if (group !== undefined) {
      assert.equal(job?.failure?.group, group);
    }
    if (remaining !== undefined) {
      assert.equal(job?.remaining, remaining, kind);
    }
  }
  await move(1000);
  assert.equal((await queue.reserve(10)).length >= 2, true, "what was put off is due");
});

test("a refused call in a handler is grouped by its code, and a delay before no queue refuses nothing", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("refused", null, { jid: "refused", retries: 0 });
  await queue.put("delayed", null, { jid: "delayed", retries: 0 });
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("refused", (job) => job.complete(1, { queue: "" }));
  worker.perform("delayed", async (job) => {
    await job.complete("done", { delay: 60_000 });
    worker.stop();
  });
  await worker.run();
  const [refused, delayed] = await Promise.all([client.job("refused"), client.job("delayed")]);
  assert.deepEqual(
    [refused?.failure?.group, refused?.failure?.message],
    ["refused:INVALID_ARGUMENT", "queue is empty"],
  );
  assert.deepEqual([delayed?.state, delayed?.result], ["completed", "done"]);
});

test("a handler may end its job itself, and hears of it", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k", { a: 1 });
  const worker = new Worker(client, { queues: ["q"] });
  const told = new Promise<string>((resolve) => {
    worker.perform("k", async (job) => {
      assert.equal(await job.heartbeat(), 60_000);
      await assert.rejects(job.complete({ n: 1n }), { code: 100 });
      resolve(await job.complete("by hand", { queue: "next", data: [2] }));
      return "not this";
    });
  });
  const run = worker.run();
  assert.equal(await told, "waiting");
  await worker.stop();
  await run;
  const job = await client.job(jid);
  assert.deepEqual([job?.queue, job?.state, job?.data], ["next", "waiting", [2]]);
});

test("a kind without a handler fails when no worker knows it", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("stranger");
  await client.queue("q").put("last");
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("last", () => void worker.stop());
  await worker.run();
  const job = await client.job(jid);
  assert.deepEqual([job?.state, job?.failure?.group], ["failed", "unknown-kind:stranger"]);
});

test("a handler whose lease is lost hears of it, and its outcome counts for nothing", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", "old", { jid: "one" });
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", async (job) => {
    await queue.put("k", "new", { jid: "one", onConflict: "move", delay: 60_000 });
    await once(job.signal, "abort");
    assert.equal(job.signal.reason, "replaced");
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

test("an outcome that is refused is told, though the handler has ended", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", "old", { jid: "one" });
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", async () => {
    await queue.put("k", "new", { jid: "one", onConflict: "move", delay: 60_000 });
    worker.stop();
  });
  const lost = once(worker, "lockLost");
  await worker.run();
  const [job, reason] = await lost;
  assert.deepEqual([job.jid, job.kind, job.queue, reason], ["one", "k", "q", "replaced"]);
  assert.equal((await client.job("one"))?.data, "new");
});

test("a stop leaves a handler that takes too long, and its job to its lease", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k");
  const worker = new Worker(client, { queues: ["q"], shutdownTimeout: 50 });
  const never = new Promise(() => {});
  const started = new Promise<void>((resolve) => {
    worker.perform("k", () => {
      resolve();
      return never;
    });
  });
  const run = worker.run();
  await started;
  await worker.stop();
  await run;
  assert.equal(worker.running, 1);
  assert.equal((await client.job(jid))?.state, "running");
});

test("a worker runs once", async () => {
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] }).perform("k", () => {});
  await worker.stop();
  await assert.rejects(worker.run(), { code: 100 });
  assert.throws(() => worker.perform("other", () => {}), { code: 100 });
});

test("a stop that cannot store what was done says so", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k");
  const worker = new Worker(client, { queues: ["q"], shutdownTimeout: 100 });
  worker.perform("k", () => {
    signalServer("SIGSTOP");
    worker.stop();
  });
  await assert.rejects(worker.run(), { code: 300, name: "UNAVAILABLE", retryable: true });
  signalServer("SIGCONT");
  assert.ok(await client.job(jid), "the job is not lost");
});

test("a worker that cannot work says so", async () => {
  await redis("ACL", "SETUSER", "guest", "on", "nopass", "~*", "-@all", "+hello", "+ping");
  const client = new Client(`${url}?user=guest&password=x`);
  const worker = new Worker(client, { queues: ["q"] }).perform("k", () => {});
  await assert.rejects(worker.run(), { code: 305, name: "DENIED" });
  await client.close();
});

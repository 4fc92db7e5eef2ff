import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Client, Closed, Fail, Job, LockLost, Retry, Snooze, Worker, WrongState } from "manyhands";
import { freshClient, redis, signalServer, stopClock, url } from "./server.js";

/** What is written to the console from now on, one text for each line or so; the console shows none of it. */
function written(t: TestContext): string[] {
  const lines: string[] = [];
  t.mock.method(console, "error", (line: string) => void lines.push(line));
  return lines;
}

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

test("what cannot be looked at is a handler's error too", async (t) => {
  written(t);
  const client = freshClient();
  const unreadable = () => {
    throw new Error("not to be looked at");
  };
  class Hidden extends Error {
    override get message(): string {
      return unreadable();
    }
  }
  class Numbered extends Error {
    static override readonly name = 5 as unknown as string;
  }
  class Undecided extends Fail {
    override readonly fields = unreadable;
  }
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const table: Record<string, [thrown: unknown, group: string, message: string]> = {
    hidden: [new Hidden(), "hidden:Hidden", "<its message cannot be read>"],
    custom: [
      { [Symbol.for("nodejs.util.inspect.custom")]: unreadable },
      "custom:object",
      "<its message cannot be read>",
    ],
    proxy: [proxy, "proxy:TypeError", "Cannot perform 'getPrototypeOf' on a proxy that has been revoked"],
    numbered: [new Numbered("one"), "numbered:5", "one"],
    undecided: [new Undecided("group"), "undecided:Error", "not to be looked at"],
  };
  const worker = new Worker(client, { queues: ["q"] });
  for (const [kind, [thrown]] of Object.entries(table)) {
    await client.queue("q").put(kind, null, { jid: kind, retries: 0 });
    worker.perform(kind, async () => {
      throw thrown;
    });
  }
  await client.queue("q").put("last");
  worker.perform("last", () => void worker.stop());
  await worker.run();
  for (const [kind, [, group, message]] of Object.entries(table)) {
    const job = await client.job(kind);
    assert.deepEqual([job?.failure?.group, job?.failure?.message], [group, message], kind);
  }
});

test("what a handler throws is logged, even when it has ended its job before; an outcome is not", async (t) => {
  const lines = written(t);
  const client = freshClient();
  await client.queue("q").putMany(["early", "late", "chosen", "last"].map((kind) => ({ kind, jid: kind })));
  class NoInk extends Error {}
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("early", () => {
    throw new NoInk("the cyan one");
  });
  worker.perform("late", async (job) => {
    await job.complete("done");
    throw new NoInk("the yellow one");
  });
  worker.perform("chosen", () => {
    throw new Fail("paper");
  });
  worker.perform("last", async (job) => {
    worker.stop();
    await job.complete();
    return 1n;
  });
  await worker.run();
  assert.equal(lines.length, 2, lines.join());
  assert.match(lines[0] as string, /^manyhands: job early \(early\) threw NoInk.*: the cyan one\n.*worker\.test\.js/);
  assert.match(lines[1] as string, /^manyhands: job late \(late\) threw NoInk.*: the yellow one\n/);
  assert.equal((await client.job("late"))?.result, "done");
});

test("a listener that throws, or rejects, is logged, and the worker goes on", async (t) => {
  const lines = written(t);
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", "old", { jid: "one" });
  const worker = new Worker(client, { queues: ["q"] });
  worker.on("lockLost", async () => {
    throw new Error("rejected");
  });
  worker.on("lockLost", () => {
    throw new Error("thrown");
  });
  worker.perform("k", async (job) => {
    if (job.data === "old") {
      await queue.put("k", "new", { jid: "one", onConflict: "move" });
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
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", "old", { jid: "one" });
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", async (job) => {
    await queue.put("k", "new", { jid: "one", onConflict: "move", delay: 60_000 });
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
      await new Promise(setImmediate);
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

test("a worker is run once; one that was stopped before returns at once; handlers come first", async () => {
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  const run = worker.run();
  assert.throws(() => worker.perform("k", () => {}), WrongState);
  await assert.rejects(worker.run(), (error) => error instanceof Closed && error.operation === "worker_run");
  await worker.stop();
  await run;
  await assert.rejects(worker.run(), Closed);
  await client.queue("q").put("k");
  const early = new Worker(client, { queues: ["q"] });
  await early.stop();
  early.perform("k", () => assert.fail("performed"));
  await early.run();
  await assert.rejects(early.run(), Closed);
  assert.equal((await client.queue("q").counts()).waiting, 1);
});

test("a worker without handlers fails the jobs that no worker knows", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("stranger");
  const events = await client.events({ what: ["failed"] }).ready();
  await client.track([jid]);
  const worker = new Worker(client, { queues: ["q"] });
  const run = worker.run();
  assert.equal((await events.next()).value?.jid, jid);
  await worker.stop();
  await run;
  await events.close();
  assert.equal((await client.job(jid))?.failure?.group, "unknown-kind:stranger");
});

test("a loop of one's own takes jobs, and ends them by their methods", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const worker = new Worker(client, { queues: ["q"], concurrency: 3 });
  assert.equal(await worker.next({ timeout: 0 }), null);
  await queue.putMany([1, 2, 3].map((data) => ({ kind: "k", data })));
  for (const data of [1, 2, 3]) {
    const job = await worker.next();
    assert.deepEqual([job?.data, worker.running], [data, 1]);
    assert.equal(await job?.complete(data * 2), "completed");
    assert.equal(worker.running, 0);
  }
  assert.throws(() => worker.perform("k", () => {}), WrongState);
  const waiting = [worker.next(), worker.next({ timeout: 3_600_000 }), worker.next()];
  assert.equal(await worker.next({ timeout: 1 }), null, "the others do not hold it up");
  await queue.putMany([4, 5].map((data) => ({ kind: "k", data })));
  const first = (await Promise.race(waiting)) as Job;
  await first.retry(60_000);
  const stopped = worker.stop();
  const jobs = await Promise.all(waiting);
  const second = jobs.find((job) => job !== null && job !== first) as Job;
  assert.equal(jobs.filter((job) => job === null).length, 1, "the third waits until the stop");
  assert.equal(await second.complete(), "completed", "the stop waits for what was taken");
  await stopped;
  assert.equal(await worker.next(), null);
  await assert.rejects(worker.run(), Closed);
  assert.deepEqual([(await queue.counts()).running, (await queue.counts()).waiting], [0, 0]);
});

test("who takes jobs by a loop hears of a lost lease as well", async (t) => {
  written(t);
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", "old", { jid: "one" });
  const worker = new Worker(client, { queues: ["q"] });
  const job = (await worker.next()) as Job;
  const told = once(worker, "lockLost");
  await queue.put("k", "new", { jid: "one", onConflict: "move", delay: 60_000 });
  await once(job.signal, "abort");
  assert.deepEqual(await told, [job, "replaced"]);
  await assert.rejects(job.complete(), LockLost);
  await worker.stop();
});

test("a trace may be given with Fail", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k");
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", () => {
    worker.stop();
    throw new Fail("paper jam", "tray 2", "at the printer");
  });
  await worker.run();
  const { group, message, trace } = (await client.job(jid))?.failure ?? {};
  assert.deepEqual([group, message, trace], ["paper jam", "tray 2", "at the printer"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Fail, LockLost, Retry, Snooze, Worker } from "manyhands";
import { freshClient, stopClock, written } from "./server.js";

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
  assert.match(failed?.failure?.trace ?? "", /at .*outcomes\.test\.js/);
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
  assert.match(lines[0] as string, /^manyhands: job early \(early\) threw NoInk.*: the cyan one\n.*outcomes\.test\.js/);
  assert.match(lines[1] as string, /^manyhands: job late \(late\) threw NoInk.*: the yellow one\n/);
  assert.equal((await client.job("late"))?.result, "done");
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

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Fail, InvalidArgument, type Job, type Middleware, Retry, Snooze, Worker, WrongState } from "manyhands";
import { freshClient, written } from "./server.js";

/** One of tests/middleware/cases.json, which says what its words mean. */
interface Case {
  readonly name: string;
  readonly chain: readonly string[];
  readonly handler: string;
  readonly retries?: number;
  readonly jobs?: number;
  readonly trace: readonly string[];
  readonly hooks: readonly string[];
  readonly state: string;
  readonly result?: unknown;
  readonly group?: string;
  readonly message?: string;
}

const { cases } = JSON.parse(
  readFileSync(new URL("../../../../tests/middleware/cases.json", import.meta.url), "utf8"),
) as { cases: Case[] };

type Trace = (line: string) => void;

const moves: Record<string, (name: string, trace: Trace) => Middleware> = {
  around: (name, trace) => async (_, next) => {
    trace(`${name} before`);
    try {
      const result = await next();
      trace(`${name} after`);
      return result;
    } catch (error) {
      trace(`${name} raised`);
      throw error;
    }
  },
  skip: (name, trace) => () => trace(`${name} skips`),
  fail: (name, trace) => () => {
    trace(`${name} fails`);
    throw new Fail("held", `by ${name}`);
  },
  snooze: (name, trace) => async () => {
    trace(`${name} snoozes`);
    throw new Snooze(60_000);
  },
  retry: (name, trace) => async () => {
    trace(`${name} retries`);
    throw new Retry(60_000);
  },
  finish: (name, trace) => async (job) => {
    trace(`${name} finishes`);
    await job.complete({ by: name });
  },
  break: (name, trace) => async () => {
    trace(`${name} breaks`);
    throw new Error(`broken by ${name}`);
  },
  break_after: (name, trace) => async (_, next) => {
    await next();
    trace(`${name} breaks`);
    throw new Error(`broken by ${name}`);
  },
  rescue: (name, trace) => async (_, next) => {
    try {
      return await next();
    } catch {
      trace(`${name} rescues`);
      return { rescued: true };
    }
  },
  replace: (name, trace) => async (_, next) => {
    await next();
    trace(`${name} replaces`);
    return { from: name };
  },
  write: (name) => (job, next) => {
    job.locals.seen = name;
    return next();
  },
  read: (name, trace) => (job, next) => {
    trace(`${name} sees ${job.locals.seen ?? "nothing"}`);
    return next();
  },
  twice: (name, trace) => async (_, next) => {
    const first = await next();
    try {
      await next();
    } catch (error) {
      assert.ok(error instanceof WrongState);
      trace(`${name} refused`);
    }
    return first;
  },
};

const handlers: Record<string, (job: Job, trace: Trace) => unknown> = {
  answer: (_, trace) => {
    trace("handler");
    return { answer: 42 };
  },
  read: (job, trace) => trace(`handler sees ${job.locals.seen ?? "nothing"}`),
  break: (_, trace) => {
    trace("handler");
    throw new Error("broken");
  },
  fail: async (job, trace) => {
    trace("handler");
    await job.fail("held", "by handler");
  },
};

for (const one of cases) {
  test(`middleware: ${one.name}`, async (t) => {
    written(t);
    const client = freshClient();
    const jids = Array.from({ length: one.jobs ?? 1 }, (_, index) => `job-${index}`);
    const options = one.retries === undefined ? {} : { retries: one.retries };
    await client.queue("q").putMany(jids.map((jid) => ({ kind: "k", jid, ...options })));
    const lines: string[] = [];
    const worker = new Worker(client, { queues: ["q"] });
    for (const [name, move] of one.chain.map((layer) => layer.split(" ") as [string, string])) {
      const make = moves[move];
      assert.ok(make, `a move ${move}`);
      worker.use(make(name, (line) => void lines.push(line)));
    }
    worker.perform("k", (job) => handlers[one.handler]?.(job, (line) => void lines.push(line)));
    const told: string[] = [];
    worker.on("beforePerform", () => told.push("before"));
    worker.on("afterPerform", (_, end) => told.push(`after ${end}`));
    worker.on("failure", () => told.push("failure"));
    let left = jids.length;
    worker.on("afterPerform", () => {
      left -= 1;
      if (left === 0) {
        worker.stop();
      }
    });
    await worker.run();
    assert.deepEqual(lines, one.trace);
    assert.deepEqual(told, one.hooks);
    for (const job of await client.jobs(jids)) {
      assert.equal(job?.state, one.state);
      if ("result" in one) {
        assert.deepEqual(job?.result, one.result);
      }
      if (one.group !== undefined) {
        assert.equal(job?.failure?.group, one.group);
      }
      if (one.message !== undefined) {
        assert.equal(job?.failure?.message, one.message);
      }
    }
  });
}

test("who does not wait for next is waited for, and its error counts", async (t) => {
  written(t);
  const client = freshClient();
  await client.queue("q").put("k", null, { jid: "slow" });
  await client.queue("q").put("k", "fails", { jid: "fails", retries: 0 });
  await client.queue("q").put("last");
  const worker = new Worker(client, { queues: ["q"] });
  let performed = 0;
  let late: () => Promise<unknown> = async () => {};
  worker.use((job, next) => {
    if (job.kind === "last") {
      late = next;
      worker.stop();
      return undefined;
    }
    void next();
    return "at once";
  });
  worker.perform("k", async (job) => {
    await setImmediate();
    performed += 1;
    if (job.data !== null) {
      throw new Error("too late for the middleware");
    }
  });
  worker.perform("last", () => assert.fail("skipped"));
  const performedBefore: number[] = [];
  worker.on("afterPerform", () => performedBefore.push(performed));
  await worker.run();
  assert.deepEqual(performedBefore, [1, 2, 2]);
  const [slow, fails] = await client.jobs(["slow", "fails"]);
  assert.deepEqual([slow?.state, slow?.result], ["completed", "at once"]);
  assert.equal(fails?.failure?.message, "too late for the middleware");
  assert.throws(() => late(), WrongState);
});

test("the events of a worker: start, then each run's beginning, failure and end, then stop", async (t) => {
  written(t);
  const client = freshClient();
  const kinds = ["unknown", "done", "ended", "thrown", "failed", "given-up", "both", "put-off", "last"];
  await client.queue("q").putMany(kinds.map((kind) => ({ kind })));
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("done", () => 1);
  worker.perform("ended", (job) => job.release().then(() => client.cancel([job.jid])));
  worker.perform("thrown", () => {
    throw new TypeError("no");
  });
  worker.perform("failed", () => {
    throw new Fail("group");
  });
  worker.perform("given-up", (job) => job.fail("group", "by hand"));
  worker.perform("both", async (job) => {
    await job.fail("group");
    throw new RangeError("after that");
  });
  worker.perform("put-off", () => {
    throw new Snooze(60_000);
  });
  worker.perform("last", (job) => {
    worker.stop();
    return job.cancel();
  });
  const told: string[] = [];
  worker.on("start", () => told.push("start"));
  worker.on("stop", () => told.push("stop"));
  worker.on("beforePerform", (job) => told.push(`before ${job.kind}`));
  worker.on("failure", (job, error) => told.push(`failure ${job.kind}: ${(error as Error).name}`));
  worker.on("afterPerform", (job, end) => told.push(`after ${job.kind}: ${end}`));
  worker.on("afterPerform", () => {
    throw new Error("a listener's");
  });
  await worker.run();
  assert.deepEqual(told, [
    "start",
    ...["before done", "after done: complete", "before ended", "after ended: release"],
    ...["before thrown", "after thrown: error", "failure thrown: TypeError"],
    ...["before failed", "after failed: fail", "failure failed: Fail"],
    ...["before given-up", "after given-up: fail", "failure given-up: Fail"],
    ...["before both", "after both: fail", "failure both: RangeError"],
    ...["before put-off", "after put-off: snooze", "before last", "after last: cancelled"],
    "stop",
  ]);
});

test("middleware is a function, named before the worker begins", async () => {
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  assert.throws(() => worker.use(5 as never), InvalidArgument);
  assert.throws(() => client.use({} as never), InvalidArgument);
  const run = worker.run();
  assert.throws(() => worker.use((_, next) => next()), WrongState);
  await worker.stop();
  await run;
});

test("middleware around puts may change them, the first outermost, and sees what became of them", async () => {
  const client = freshClient();
  const seen: string[] = [];
  client.use(async (puts, next) => {
    for (const put of puts) {
      put.options.tags = [...(put.options.tags ?? []), "ours"];
    }
    const placed = await next();
    seen.push(placed.map(({ outcome }) => outcome).join());
    return placed;
  });
  client.use((puts, next) => {
    for (const put of puts) {
      put.data = { ...(put.data as object), tags: put.options.tags };
      put.queue = `${put.queue}-a`;
    }
    return next();
  });
  client.on("beforePut", (puts) => seen.push(`before ${puts.map(({ queue, kind }) => `${queue} ${kind}`)}`));
  client.on("afterPut", (_, placed) => seen.push(`after ${placed.map(({ jid }) => jid)}`));
  const options = { jid: "one", tags: ["theirs"] } as const;
  assert.equal((await client.queue("q").put("k", { n: 1 }, options)).outcome, "put");
  await client.queue("q").putMany([
    { kind: "k", jid: "one", onConflict: "reject" },
    { kind: "l", jid: "two" },
  ]);
  assert.deepEqual(options.tags, ["theirs"], "the caller's own options stay");
  const [one, two] = await client.jobs<object>(["one", "two"]);
  assert.deepEqual([one?.queue, one?.tags], ["q-a", ["theirs", "ours"]]);
  assert.deepEqual(one?.data, { n: 1, tags: ["theirs", "ours"] });
  assert.deepEqual(two?.tags, ["ours"]);
  assert.deepEqual(seen, ["before q-a k", "after one", "put", "before q-a k,q-a l", "after one,two", "exists,put"]);
});

test("middleware may refuse a put, answer in its place, or hear why it was refused", async () => {
  const client = freshClient();
  await client.queue("q").put("k", null, { jid: "there" });
  const reasons: string[] = [];
  client.use(async (puts, next) => {
    if (puts[0]?.kind === "forbidden") {
      throw new RangeError("not today");
    }
    if (puts[0]?.kind === "elsewhere") {
      return [{ jid: "over there", outcome: "put", satisfied: [] }];
    }
    if (puts[0]?.kind === "silent") {
      return undefined as never;
    }
    return next().catch((error) => {
      reasons.push(error.name);
      throw error;
    });
  });
  const queue = client.queue("q");
  await assert.rejects(queue.put("forbidden"), RangeError);
  await assert.rejects(queue.put("silent"), WrongState);
  assert.equal((await queue.put("elsewhere")).jid, "over there");
  await assert.rejects(queue.put("k", null, { jid: "there", onConflict: "reject" }), { name: "JOB_EXISTS" });
  await assert.rejects(queue.put("k", 1n), { name: "INVALID_ARGUMENT" });
  assert.deepEqual(reasons, ["JOB_EXISTS", "INVALID_ARGUMENT"]);
  assert.equal(await queue.length(), 1);
});

test("a listener of puts that throws is logged, and the put is done", async (t) => {
  const lines = written(t);
  const client = freshClient();
  client.on("beforePut", () => {
    throw new Error("a listener's");
  });
  const told = once(client, "afterPut");
  const { jid } = await client.queue("q").put("k");
  assert.equal((await told)[1][0].jid, jid);
  assert.match(lines.join(), /a beforePut listener threw: Error: a listener's/);
});

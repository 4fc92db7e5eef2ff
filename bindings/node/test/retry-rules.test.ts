import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, Fail, InvalidArgument, type Job, type RetryRules, retryRules, Worker } from "manyhands";
import { drain } from "manyhands/testing";
import { freshClient, stopClock, written } from "./server.js";

class Away extends Error {}
class FarAway extends Away {}
class NoSuchUser extends Error {}

/** Performs what may run by handlers that throw these, with the rules; gives the jobs, by kind. */
async function fates(rules: RetryRules, thrown: Record<string, unknown>, options = {}): Promise<Record<string, Job>> {
  const client = freshClient();
  await stopClock(client);
  const worker = new Worker(client, { queues: ["q"] });
  worker.use(retryRules(rules));
  const kinds = Object.keys(thrown);
  for (const kind of kinds) {
    worker.perform(kind, () => {
      throw thrown[kind];
    });
    await client.queue("q").put(kind, null, { jid: kind, ...options });
  }
  await drain(worker, { throws: false });
  const jobs = (await client.jobs(kinds)) as Job[];
  return Object.fromEntries(jobs.map((job) => [job.jid, job]));
}

/** After how many milliseconds it runs again. */
function wait(job: Job | undefined): number {
  return (job?.dueAt ?? Number.NaN) - (job?.history.at(-1)?.at ?? 0);
}

test("rules say by the class of an error what becomes of its job; the first counts", async (t) => {
  const lines = written(t);
  const rules: RetryRules = {
    retryOn: [
      [FarAway, 9_000],
      [Away, [500, 700]],
      [RangeError, (errors) => errors * 1_000],
    ],
    discardOn: [NoSuchUser],
  };
  const jobs = await fates(rules, {
    far: new FarAway(),
    away: new Away(),
    range: new RangeError(),
    user: new NoSuchUser("ada"),
    other: new TypeError(),
    chosen: new Fail("by itself"),
  });
  assert.deepEqual([wait(jobs.far), wait(jobs.away), wait(jobs.range)], [9_000, 500, 1_000]);
  assert.equal(jobs.far?.remaining, 4);
  const { group, message, trace } = jobs.user?.failure ?? {};
  assert.deepEqual([jobs.user?.state, group, message], ["failed", "user:NoSuchUser", "ada"]);
  assert.match(trace ?? "", /retry-rules\.test/);
  assert.deepEqual([jobs.other?.state, jobs.chosen?.failure?.group], ["scheduled", "by itself"]);
  assert.equal(lines.length, 5, "errors are logged as ever");
});

test("without retries left a rule's job fails in the group of the error's class", async (t) => {
  written(t);
  const { away } = await fates({ retryOn: new Map([[Away, 5]]) }, { away: new Away("gone") }, { retries: 0 });
  assert.deepEqual([away?.state, away?.failure?.group, away?.failure?.message], ["failed", "away:Away", "gone"]);
});

test("what middleware outside makes of the error counts, not the rule", async (t) => {
  written(t);
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  worker.use(async (_, next) => next().catch(() => "rescued"));
  worker.use(retryRules({ discardOn: [Error] }));
  worker.perform("k", () => {
    throw new Error("no");
  });
  const { jid } = await client.queue("q").put("k");
  await drain(worker);
  assert.equal((await client.job(jid))?.result, "rescued");
});

test("backoffs: exponential to a limit, fixed, a list whose last holds, with jitter", () => {
  const waits = (backoff: Backoff) => [1, 2, 3, 4].map((errors) => backoff.delay(errors));
  assert.deepEqual(waits(Backoff.exponential(100, { jitter: 0, most: 500 })), [100, 200, 400, 500]);
  assert.deepEqual(waits(Backoff.exponential(100, { jitter: 0, factor: 1 })), [100, 100, 100, 100]);
  assert.equal(Backoff.exponential(1, { jitter: 0 }).delay(100_000), 3_600_000);
  assert.equal(Backoff.exponential(0, { jitter: 0 }).delay(100_000), 0);
  assert.deepEqual(waits(Backoff.fixed(70)), [70, 70, 70, 70]);
  assert.deepEqual(waits(Backoff.list([1, 20])), [1, 20, 20, 20]);
  const jittered = Array.from({ length: 100 }, () => Backoff.fixed(1_000, { jitter: 0.5 }).delay(1));
  assert.ok(jittered.every((delay) => delay >= 500 && delay <= 1_500));
  assert.ok(new Set(jittered).size > 10);
});

test("a backoff that throws, or says what is no delay, is written to the console, and counts as none", async (t) => {
  const lines = written(t);
  const broken = () => {
    throw new TypeError("broken backoff");
  };
  const jobs = await fates(
    {
      retryOn: [
        [Away, broken],
        [RangeError, () => -1],
      ],
    },
    { away: new Away(), range: new RangeError() },
  );
  assert.deepEqual(
    [jobs.away, jobs.range].map((job) => [wait(job), job?.failure?.group]),
    [
      [1_000, "away:Away"],
      [1_000, "range:RangeError"],
    ],
  );
  assert.match(
    lines.join(),
    /job away \(away\): its backoff threw, and it waits as without one: TypeError: broken backoff/,
  );
});

test("what is wrong with rules is said at once", () => {
  const refused = (rules: unknown, message: RegExp) =>
    assert.throws(
      () => retryRules(rules as RetryRules),
      (error) => error instanceof InvalidArgument && message.test(error.message),
    );
  refused({ retry: [] }, /option retry is unknown/);
  refused({ retryOn: [["Error", 5]] }, /for a class of errors, not for string/);
  refused({ retryOn: [Error, 5] }, /^retryOn must be a list of pairs: a class of errors, and how long to wait/);
  refused({ retryOn: [[Error]] }, /^retryOn must be a list of pairs/);
  refused({ retryOn: { Error: 5 } }, /^retryOn must be a list, not object/);
  refused({ discardOn: Error }, /^discardOn must be a list, not function/);
  refused({ retryOn: [[Error, -5]] }, /^backoff -5 is negative/);
  refused({ retryOn: [[Error, [5, -5]]] }, /^backoff\[1\] -5 is negative/);
  refused({ retryOn: [[Error, []]] }, /empty list/);
  assert.throws(() => Backoff.fixed(-5), /delay -5 is negative/);
  assert.throws(() => Backoff.fixed(5, { jitter: 2 }), /jitter must be 0 to 1/);
  assert.throws(() => Backoff.exponential(5, { factor: 0 }), /factor must be 1 or more/);
  assert.throws(
    () => Backoff.exponential(5, { max: 9 } as never),
    /option max is unknown; there are jitter, factor, most/,
  );
  assert.throws(() => Backoff.fixed(5, 0.1 as never), /options must be an object/);
  assert.throws(() => Backoff.list(5 as never), /delays must be an array, not number/);
});

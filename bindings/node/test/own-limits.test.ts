// How long a run of one job may take and how long the job waits after an error, as its put says: before its kind and the worker.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import {
  Backoff,
  type Client,
  defineJob,
  InvalidArgument,
  Job,
  type JobBackoff,
  JobInterrupted,
  type PutOptions,
  retryRules,
  Worker,
} from "manyhands";
import { drain, perform, recordedPuts } from "manyhands/testing";
import { freshClient, stopClock, written } from "./server.js";

const HOUR = 3_600_000;
const GROWING = Backoff.exponential(2_000, { factor: 1.5, most: 60_000, jitter: 0.25 });
const JITTERED = Backoff.list([1_000, 2_000], { jitter: 0.5 });

class Away extends Error {}

/** After how many milliseconds each of these runs again. */
async function waits(client: Client, jids: string[]): Promise<Record<string, number>> {
  const jobs = (await client.jobs(jids)) as Job[];
  const wait = (job: Job) => (job.dueAt ?? Number.NaN) - (job.history.at(-1)?.at ?? 0);
  return Object.fromEntries(jobs.map((job) => [job.jid, wait(job)]));
}

test("a job's own timeout interrupts its handler, whatever kind and worker say", async (t) => {
  written(t);
  const client = freshClient();
  const queue = client.queue("q");
  const wait = async (job: Job) => {
    await once(job.signal, "abort");
    throw job.signal.reason;
  };
  const worker = new Worker(client, { queues: ["q"], concurrency: 2, timeout: HOUR });
  const patient = defineJob({ kind: "class", queue: "q", timeout: HOUR }, wait);
  worker.perform(patient, { timeout: HOUR }).perform("plain", wait);
  await patient.put(client, null, { jid: "class", timeout: 10, retries: 0 });
  await queue.put("plain", null, { jid: "plain", timeout: 10, retries: 0 });
  let left = 2;
  const reasons: unknown[] = [];
  worker.on("failure", (_, error) => reasons.push(error instanceof JobInterrupted && error.reason));
  worker.on("afterPerform", () => {
    left -= 1;
    if (left === 0) {
      worker.stop();
    }
  });
  await worker.run();
  assert.deepEqual(reasons, ["timeout", "timeout"]);
  const jobs = (await client.jobs(["class", "plain"])) as Job[];
  assert.deepEqual(
    jobs.map((job) => [job.state, job.failure?.group, job.runTimeout]),
    [
      ["failed", "class:JobInterrupted", 10],
      ["failed", "plain:JobInterrupted", 10],
    ],
  );
});

const BACKOFFS: Record<string, JobBackoff | undefined> = {
  own: 3_000,
  list: [4_000, 5_000],
  growing: Backoff.exponential(6_000, { jitter: 0 }),
  zero: 0,
  ruled: 3_000,
  unsaid: undefined,
};
const WAITS = { own: 3_000, list: 4_000, growing: 6_000, ruled: 9_000, unsaid: 8_000 };

/** A worker whose kind waits 8 s after errors, 9 s by rule, and a job of it for each of {@link BACKOFFS}. */
async function failing(client: Client): Promise<Worker> {
  await stopClock(client);
  const worker = new Worker(client, { queues: ["q"] });
  worker.use(retryRules({ retryOn: [[Away, 9_000]] }));
  const kind = defineJob({ kind: "k", queue: "q", backoff: 7_000 }, (job) => {
    throw job.jid === "ruled" ? new Away() : new Error("no");
  });
  worker.perform(kind, { backoff: () => 8_000 });
  for (const [jid, backoff] of Object.entries(BACKOFFS)) {
    await kind.put(client, null, {
      jid,
      ...(backoff === undefined ? {} : { backoff }),
      retries: jid === "zero" ? 1 : 5,
    });
  }
  return worker;
}

test("a job's own backoff says how long it waits, whatever kind and worker say; rules by class come first", async (t) => {
  written(t);
  const client = freshClient();
  const worker = await failing(client);
  // The one that does not wait may run twice.
  const performed = new Set<string>();
  worker.on("afterPerform", ({ jid }) => {
    if (performed.add(jid).size === Object.keys(BACKOFFS).length) {
      worker.stop();
    }
  });
  await worker.run();
  assert.deepEqual(await waits(client, Object.keys(WAITS)), WAITS);
});

test("a drain heeds it as well", async (t) => {
  written(t);
  const client = freshClient();
  await drain(await failing(client), { throws: false });
  assert.deepEqual(await waits(client, Object.keys(WAITS)), WAITS);
  const zero = await client.job("zero");
  assert.deepEqual([zero?.state, zero?.failure?.group, zero?.remaining], ["failed", "k:Error", 0]);
});

test("what is drawn at random of a job's own backoff stays within its share", async (t) => {
  written(t);
  const client = freshClient();
  await stopClock(client);
  const worker = new Worker(client, { queues: ["q"] }).perform("k", () => {
    throw new Error("no");
  });
  await client.queue("q").put("k", null, { jid: "j", backoff: JITTERED });
  await drain(worker, { throws: false });
  const { j } = (await waits(client, ["j"])) as { j: number };
  assert.ok(j >= 500 && j <= 1_500, String(j));
});

test("puts, a requeue and recurring jobs say them, and what was said is seen", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const said: [JobBackoff, Backoff][] = [
    [1_500, Backoff.fixed(1_500)],
    [[1_000, 60_000], Backoff.list([1_000, 60_000])],
    [GROWING, GROWING],
    [JITTERED, JITTERED],
    [Backoff.fixed(5, { jitter: 1 }), Backoff.list([5], { jitter: 1 })],
  ];
  await queue.putMany(said.map(([backoff], index) => ({ kind: "k", jid: `j${index}`, timeout: 30_000.4, backoff })));
  await queue.put("k", null, { jid: "plain" });
  const jids = (await queue.jobs("waiting")).jids;
  for (const jobs of [await client.jobs(jids), await queue.peek(), await queue.reserve(10)]) {
    const seen = jobs.map((job) => [job?.runTimeout, job?.backoff]);
    assert.deepEqual(seen, [...said.map(([, backoff]) => [30_000, backoff]), [null, null]]);
    assert.ok(jobs[0]?.backoff instanceof Backoff);
  }

  const plain = (await client.job("plain")) as Job;
  await plain.requeue({ timeout: 7, backoff: [8] });
  await plain.requeue();
  const requeued = await client.job("plain");
  assert.deepEqual([requeued?.runTimeout, requeued?.backoff], [7, Backoff.fixed(8)]);

  const template = await client.queue("t").putRecurring("k", null, HOUR, { jid: "r", timeout: 9, backoff: GROWING });
  assert.deepEqual([template.timeout, template.backoff], [9, GROWING]);
  await template.update({ timeout: 10, backoff: 11 });
  const [changed] = (await client.queue("t").recurring()).items;
  assert.deepEqual([changed?.timeout, changed?.backoff], [10, Backoff.fixed(11)]);
  const [job] = await client.queue("t").reserve();
  assert.deepEqual([job?.parent, job?.runTimeout, job?.backoff], ["r", 10, Backoff.fixed(11)]);
  const silent = await client.queue("t").putRecurring("k", null, HOUR, { jid: "s" });
  assert.deepEqual([silent.timeout, silent.backoff], [null, null]);
});

test("a class keeps its own with who performs it, and its puts may say others", async () => {
  const client = freshClient();
  const kind = defineJob({ kind: "k", queue: "q", timeout: HOUR, backoff: (errors) => errors }, () => {});
  await kind.put(client, null, { jid: "silent" });
  await kind.put(client, null, { jid: "unsaid", timeout: undefined as never, backoff: undefined as never });
  await kind.put(client, null, { jid: "own", timeout: 5, backoff: 6 });
  const seen = (await client.jobs(["silent", "unsaid", "own"])).map((job) => [job?.runTimeout, job?.backoff]);
  assert.deepEqual(seen, [
    [null, null],
    [null, null],
    [5, Backoff.fixed(6)],
  ]);
  const silent = await kind.putRecurring(client, null, HOUR, { jid: "r" });
  assert.deepEqual([silent.timeout, silent.backoff], [null, null]);
  const own = await kind.putRecurring(client, null, HOUR, { jid: "r", timeout: 5, backoff: 6 });
  assert.deepEqual([own.timeout, own.backoff], [5, Backoff.fixed(6)]);
});

test("a job is built with them", async () => {
  const job = Job.build("k", null, { timeout: 30_000, backoff: [1, 2] });
  assert.deepEqual([job.runTimeout, job.backoff], [30_000, Backoff.list([1, 2])]);
  assert.deepEqual([Job.build("k").runTimeout, Job.build("k").backoff], [null, null]);
  const kind = defineJob({ kind: "k", timeout: 1, backoff: 2 }, (job) => [job.runTimeout, job.backoff]);
  const worker = new Worker(freshClient(), { queues: ["q"] }).perform(kind);
  assert.deepEqual(await perform(worker, kind.build(null, { timeout: 3, backoff: 4 })), [3, Backoff.fixed(4)]);
  assert.deepEqual(await perform(worker, kind.build(null)), [null, null]);
  assert.throws(() => Job.build("k", null, { timeout: 0 }), /timeout must be 1 ms or more/);
  assert.throws(() => Job.build("k", null, { backoff: (() => 1) as never }), /backoff must not be a function/);
});

const FUNCTION =
  "backoff must not be a function: it goes with the job to whatever program performs it; that of a kind may be one";
const REFUSED: [options: PutOptions, message: string][] = [
  [{ timeout: 0 }, "timeout must be 1 ms or more"],
  [{ timeout: -1 }, "timeout -1 is negative"],
  [{ timeout: "1s" as never }, "timeout must be a finite number of milliseconds, not 1s"],
  [{ timeout: 1e15 }, "timeout 1000000000000000 is outside 1..3155760000000"],
  [{ backoff: -1 }, "backoff -1 is negative"],
  [{ backoff: [] }, "backoff is an empty list"],
  [{ backoff: [1, -2] }, "backoff[1] -2 is negative"],
  [{ backoff: Array(2) }, "backoff[0] must be a finite number of milliseconds, not undefined"],
  [{ backoff: 1e15 }, "backoff 1000000000000000 is outside 0..3155760000000"],
  [{ backoff: Array(65).fill(1) }, "backoff has 65 entries, at most 64 are allowed"],
  [{ backoff: Backoff.exponential(1, { factor: 1_001 }) }, "backoff.factor 1001 is outside 1..1000"],
  [{ backoff: "1s" as never }, "backoff must be a finite number of milliseconds, not 1s"],
  [{ backoff: null as never }, "backoff must be a finite number of milliseconds, not null"],
  [{ backoff: { first: 1 } as never }, "backoff must be a finite number of milliseconds, not object"],
  [{ backoff: (() => 1) as never }, FUNCTION],
  [{ backoff: defineJob({ kind: "k", backoff: () => 1 }, () => {}).backoff as Backoff }, FUNCTION],
];

test("what no job can carry is refused by name before anything is written", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const template = await client.queue("t").putRecurring("k", null, HOUR, { jid: "r", offset: HOUR });
  await client.queue("t").put("k", null, { jid: "j", delay: HOUR });
  const job = (await client.job("j")) as Job;
  const kind = defineJob({ kind: "k", queue: "q", backoff: () => 1 }, () => {});
  for (const [options, message] of REFUSED) {
    const calls: [operation: string, place: string, act: () => Promise<unknown>][] = [
      ["queue_put", "", () => queue.put("k", null, options)],
      ["queue_put", "jobs[1].", () => queue.putMany([{ kind: "k" }, { kind: "k", ...options }])],
      ["queue_put", "", () => kind.put(client, null, options)],
      ["recurring_put", "", () => queue.putRecurring("k", null, HOUR, options)],
      ["recurring_put", "", () => kind.putRecurring(client, null, HOUR, options)],
      ["recurring_update", "", () => template.update(options)],
      ["job_requeue", "", () => job.requeue(options)],
    ];
    for (const [operation, place, act] of calls) {
      const error = await act().then(
        () => assert.fail(`${act} ${message}`),
        (error: InvalidArgument) => error,
      );
      assert.ok(error instanceof InvalidArgument, String(error));
      assert.equal(error.message.slice(0, place.length + message.length), place + message, String(act));
      assert.equal(error.operation, operation, String(act));
    }
  }
  assert.equal(await queue.length(), 0);
  assert.equal((await queue.recurring()).total, 0);
  // @ts-expect-error: a function stays with its kind
  await queue.put("k", null, { backoff: () => 1 }).catch(() => {});
});

test("a recorded put has them as they were given, and is asserted by what jobs carry", async () => {
  const client = freshClient();
  using recorded = recordedPuts(client);
  const agreeing: [JobBackoff, JobBackoff][] = [
    [6, Backoff.fixed(6)],
    [Backoff.fixed(6), [6]],
    [[1_000, 2_000], Backoff.list([1_000, 2_000])],
    [Backoff.list([1_000, 2_000]), [1_000.4, 2_000]],
    [GROWING, Backoff.exponential(2_000, { factor: 1.5, most: 60_000, jitter: 0.25 })],
  ];
  for (const [said, expected] of agreeing) {
    await client.queue("q").put("k", null, { timeout: 5, backoff: said });
    assert.deepEqual(recorded.assertPut({ options: { timeout: 5.4, backoff: expected } }).options.backoff, said);
    recorded.assertNotPut({ options: { timeout: 6 } });
    recorded.assertNotPut({ options: { backoff: JITTERED } });
    recorded.assertNotPut({ options: { backoff: undefined } });
    recorded.clear();
  }
  assert.throws(() => recorded.assertNotPut({ options: { dealy: 5 } }), /option dealy is unknown/);
  await client.queue("q").put("k");
  recorded.assertPut({ options: { backoff: undefined } });
  recorded.assertNotPut({ options: { backoff: 0 } });
});

test("what a backoff leaves out that another program put is as everywhere", async () => {
  const client = freshClient();
  await client.queue("q").put("k", null, { jid: "a" });
  const cases: [object, Backoff][] = [
    [{ first: 5_000 }, Backoff.exponential(5_000)],
    [{ first: 5_000, factor: 3 }, Backoff.exponential(5_000, { factor: 3 })],
    [{ first: 5_000, jitter: 0 }, Backoff.exponential(5_000, { jitter: 0 })],
    [{ list: [5_000] }, Backoff.fixed(5_000)],
    [{ list: [5_000, 6_000] }, Backoff.list([5_000, 6_000])],
  ];
  for (const [backoff_ms, backoff] of cases) {
    await client.call("job_requeue", { jid: "a", backoff_ms });
    const job = await client.job("a");
    assert.deepEqual(job?.backoff, backoff);
    assert.ok((job?.backoff?.delay(1) as number) > 0);
  }
});

test("a backoff says what it was made of, and is JSON as jobs carry it", () => {
  const json = [Backoff.fixed(5), Backoff.list([5, 6]), JITTERED, GROWING].map((backoff) => JSON.stringify(backoff));
  assert.deepEqual(json, [
    "5",
    "[5,6]",
    '{"list":[1000,2000],"jitter":0.5}',
    '{"first":2000,"factor":1.5,"most":60000,"jitter":0.25}',
  ]);
  assert.deepEqual([GROWING.wait, GROWING.jitter], [{ first: 2_000, factor: 1.5, most: 60_000 }, 0.25]);
  assert.deepEqual([JITTERED.wait, JITTERED.jitter], [[1_000, 2_000], 0.5]);
  const own = (errors: number) => errors;
  const { backoff } = defineJob({ kind: "k", backoff: own }, () => {});
  assert.deepEqual([backoff?.wait, backoff?.delay(7), JSON.stringify({ backoff })], [own, 7, "{}"]);
});

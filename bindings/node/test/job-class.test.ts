import assert from "node:assert/strict";
import { test } from "node:test";
import { defineJob, InvalidArgument, type Job, RawJson, Retry, retryRules, Worker } from "manyhands";
import { drain } from "manyhands/testing";
import { freshClient, stopClock, written } from "./server.js";

const welcome = defineJob<{ to: string }>(
  { kind: "welcome", queue: "mail", priority: 3, retries: 2, tags: ["mail"], throttles: ["smtp"], route: ["done"] },
  (job) => `greeted ${job.data.to.toUpperCase()}`,
);

test("puts of a class have its options, unless they say otherwise", async () => {
  const client = freshClient();
  const own = await welcome.put(client, { to: "ada" });
  const other = await welcome.put(
    client,
    { to: "grace" },
    { queue: "other", retries: 0, tags: [], route: [], priority: undefined as never, delay: 60_000, jid: "mine" },
  );
  assert.equal(other.jid, "mine");
  const [first, second] = (await client.jobs<{ to: string }>([own.jid, "mine"])) as [Job, Job];
  assert.deepEqual([first.kind, first.queue, first.priority, first.retries], ["welcome", "mail", 3, 2]);
  assert.deepEqual([first.tags, first.throttles, first.route], [["mail"], ["smtp"], ["done"]]);
  assert.deepEqual([second.queue, second.priority, second.retries, second.state], ["other", 3, 0, "scheduled"]);
  assert.deepEqual([second.tags, second.throttles, second.route], [[], ["smtp"], []]);
  assert.deepEqual(second.data, { to: "grace" });
});

test("recurring jobs of a class have its options but for the delay, unless their put says otherwise", async () => {
  const client = freshClient();
  await stopClock(client);
  const now = (await client.queue("q").putRecurring("k", null, 60_000)).nextAt as number;
  const later = defineJob<{ to: string } | null>(
    {
      ...{ kind: "later", queue: "mail", delay: 60_000, timeout: 30_000, backoff: 5_000, headers: { from: "a" } },
      ...{ priority: 3, retries: 2, tags: ["new"], throttles: ["smtp"], route: ["done"] },
    },
    () => {},
  );
  const own = await later.putRecurring(client, { to: "ada" }, 60_000);
  assert.deepEqual(
    [own.kind, own.queue, own.data?.to, own.interval, own.nextAt],
    ["later", "mail", "ada", 60_000, now],
  );
  assert.deepEqual([own.priority, own.retries, own.tags, own.throttles], [3, 2, ["new"], ["smtp"]]);
  assert.deepEqual([own.route, own.headers, own.jid.length], [["done"], { from: "a" }, 32]);
  const other = await later.putRecurring(client, null, 500, {
    ...{ queue: "other", jid: "r", offset: 5_000, backlog: 2, priority: -1, retries: 0, tags: [], headers: {} },
    route: undefined as never,
  });
  assert.deepEqual([other.jid, other.queue, other.data, other.interval], ["r", "other", null, 500]);
  assert.deepEqual([other.nextAt, other.backlog, other.priority, other.retries], [now + 5_000, 2, -1, 0]);
  assert.deepEqual([other.tags, other.headers, other.throttles, other.route], [[], {}, ["smtp"], ["done"]]);
  const [job] = (await client.queue("mail").reserve(1)) as [Job];
  assert.deepEqual([job.parent, job.kind, job.priority, job.retries, job.tags], [own.jid, "later", 3, 2, ["new"]]);
});

test("a bad recurring put of a class is refused by name", async () => {
  const client = freshClient();
  const homeless = defineJob({ kind: "k" }, () => {});
  const refused: [RegExp, () => Promise<unknown>][] = [
    [/^queue is missing: neither this put nor the class of k names one/, () => homeless.putRecurring(client, 1, 60)],
    [/^option delay is unknown/, () => homeless.putRecurring(client, 1, 60, { queue: "q", delay: 1 } as never)],
    [/^option kind is unknown/, () => homeless.putRecurring(client, 1, 60, { queue: "q", kind: "l" } as never)],
    [/^options must be an object, not null/, () => homeless.putRecurring(client, 1, 60, null as never)],
    [/^interval must be a finite/, () => homeless.putRecurring(client, 1, {} as never, { queue: "q" })],
    [/^interval 0 is outside/, () => homeless.putRecurring(client, 1, 0, { queue: "q" })],
    [/^priority 128 is outside/, () => homeless.putRecurring(client, 1, 60, { queue: "q", priority: 128 })],
    [/^jid has 236 bytes/, () => homeless.putRecurring(client, 1, 60, { queue: "q", jid: "x".repeat(236) })],
    [/^data .*undefined/, () => homeless.putRecurring(client, undefined, 60, { queue: "q" })],
  ];
  for (const [message, put] of refused) {
    await assert.rejects(put, { code: 100, operation: "recurring_put", message });
  }
  await assert.rejects(homeless.putRecurring("mail" as never, null, 60), InvalidArgument);
  // @ts-expect-error: to is a string
  await welcome.putRecurring(client, { to: 1 }, 60);
  assert.equal((await client.queue("q").recurring()).total, 0);
});

test("a worker performs a class, and its delay holds", async () => {
  const client = freshClient();
  const { jid } = await welcome.put(client, new RawJson('{"to":"ada"}'), { route: [] });
  const later = defineJob({ kind: "later", queue: "mail", delay: 60_000 }, () => assert.fail("too early"));
  const scheduled = await later.put(client);
  const worker = new Worker(client, { queues: ["mail"] }).perform(welcome).perform(later);
  worker.on("afterPerform", () => void worker.stop());
  await worker.run();
  assert.equal((await client.job(jid))?.result, "greeted ADA");
  assert.equal((await client.job(scheduled.jid))?.state, "scheduled");
});

test("a kind says how long its jobs wait after an error, and a worker may say otherwise", async (t) => {
  written(t);
  const client = freshClient();
  await stopClock(client);
  const fails = () => {
    throw new Error("no");
  };
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform(defineJob({ kind: "class", backoff: [7_000] }, fails));
  worker.perform(defineJob({ kind: "said", backoff: [7_000] }, fails), { backoff: 8_000 });
  worker.perform("own", fails, { backoff: (errors) => errors * 60_000 });
  worker.perform("again", fails, { backoff: 9_000 }).perform("again", fails);
  worker.perform("ruled", fails, { backoff: 9_000 });
  worker.perform(
    "chosen",
    () => {
      throw new Retry(3_000);
    },
    { backoff: 9_000 },
  );
  worker.use((job, next) => (job.kind === "ruled" ? retryRules({ retryOn: [[Error, 5_000]] })(job, next) : next()));
  const kinds = ["class", "said", "own", "again", "ruled", "chosen"];
  await client.queue("q").putMany(kinds.map((kind) => ({ kind, jid: kind })));
  await drain(worker, { throws: false });
  const jobs = (await client.jobs(kinds)) as Job[];
  const waits = jobs.map((job) => (job.dueAt ?? Number.NaN) - (job.history.at(-1)?.at ?? 0));
  assert.deepEqual(waits, [7_000, 8_000, 60_000, 1_000, 5_000, 3_000]);
  assert.deepEqual([jobs[0]?.failure?.group, jobs[0]?.remaining], ["class:Error", 4]);
  assert.throws(() => defineJob({ kind: "k", backoff: [] }, fails), /backoff is an empty list/);
  assert.throws(() => worker.perform("k", fails, { backoff: -1 }), /is negative/);
  assert.throws(() => worker.perform("k", fails, { time: 1 } as never), /there are timeout, backoff/);
  assert.throws(() => worker.perform(welcome, { time: 1 } as never), /there are timeout, backoff/);
  assert.throws(() => worker.perform(welcome, fails as never), /options must be an object, not function/);
  const deferred = defineJob({ kind: "k", queue: "q", backoff: 5 }, fails);
  assert.equal((await deferred.put(client)).outcome, "put", "its puts know nothing of it");
});

test("the type of data goes from the class to its handler and its puts", async () => {
  const client = freshClient();
  const annotated = defineJob({ kind: "k", queue: "q" }, (job: Job<{ n: number }>) => job.data.n + 1);
  await annotated.put(client, { n: 1 });
  // @ts-expect-error: n is a number
  await annotated.put(client, { n: "one" });
  // @ts-expect-error: the data is missing
  await annotated.put(client).catch(() => {});
  // @ts-expect-error: there is no such member
  defineJob<{ to: string }>({ kind: "k" }, (job) => job.data.from);
  assert.equal(annotated.handler(annotated.build({ n: 4 })), 5);
});

test("a job of a class is built without a server", () => {
  const job = welcome.build({ to: "ada" }, { retries: 9 });
  assert.deepEqual([job.kind, job.queue, job.priority, job.retries, job.tags], ["welcome", "mail", 3, 9, ["mail"]]);
  assert.equal(welcome.handler(job), "greeted ADA");
  assert.equal(defineJob({ kind: "k", delay: 5 }, () => {}).build().data, null);
  assert.throws(() => welcome.build({ to: "ada" }, null as never), /options must be an object, not null/);
  assert.throws(() => welcome.build({ to: "ada" }, { retreis: 9 } as never), /option retreis is unknown/);
});

test("what is wrong with a class is said at once, a missing queue at the put", async () => {
  const client = freshClient();
  assert.throws(() => defineJob({ kind: "k", colour: "red" } as never, () => {}), /option colour is unknown/);
  assert.throws(() => defineJob({} as never, () => {}), InvalidArgument);
  assert.throws(() => defineJob({ kind: "k" }, "no" as never), /handler of k must be a function/);
  const homeless = defineJob({ kind: "k" }, () => {});
  await assert.rejects(homeless.put(client, null), /queue is missing: neither this put nor the class of k names one/);
  await assert.rejects(homeless.put("mail" as never, null), InvalidArgument);
  await assert.rejects(homeless.put(client, undefined, { queue: "q" }), /data is undefined|data cannot/);
  assert.equal((await homeless.put(client, null, { queue: "q" })).outcome, "put");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineJob, InvalidArgument, type Job, RawJson, Worker } from "manyhands";
import { freshClient } from "./server.js";

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

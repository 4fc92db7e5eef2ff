// What anybody may do with jobs: look up, move, tag, track, depend, cancel; and what their holder says of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Client,
  Cycle,
  HasDependents,
  InvalidArgument,
  Job,
  JobNotFound,
  LockLost,
  RawJson,
  UnknownDependency,
  Worker,
  WrongState,
} from "manyhands";
import { freshClient, stopClock } from "./server.js";

async function found(client: Client, jid: string): Promise<Job> {
  const job = await client.job(jid);
  assert.ok(job, jid);
  return job;
}

test("several jobs are looked up at once, in the order asked", async () => {
  const client = freshClient();
  await client.queue("q").putMany([
    { kind: "k", jid: "a", data: new RawJson('{"n": 12345678901234567}') },
    { kind: "k", jid: "b" },
  ]);
  const jobs = await client.jobs<{ n: number }>(["b", "none", "a"]);
  assert.deepEqual(
    jobs.map((job) => job?.jid),
    ["b", undefined, "a"],
  );
  assert.equal(jobs[2]?.rawData, '{"n": 12345678901234567}');
  assert.deepEqual(await client.jobs([]), []);
});

test("what a full reply leaves out is asked for again", async () => {
  const client = freshClient();
  const jids = Array.from({ length: 10 }, (_, index) => `j${index}`);
  for (const jid of jids) {
    await client.queue("q").put("k", jid + "x".repeat(1_000_000), { jid });
  }
  for (const jobs of [await client.jobs(jids), await client.queue("q").peek()]) {
    assert.deepEqual(
      jobs.map((job) => job?.jid),
      jids,
    );
  }
});

test("a job waits for others, and says which it need not wait for", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", 1, { jid: "first" });
  const put = await queue.put("k", 2, { jid: "second", dependencies: ["first", "unknown"] });
  assert.deepEqual(put, { jid: "second", outcome: "put", satisfied: ["unknown"] });
  await assert.rejects(queue.put("k", 3, { dependencies: ["unknown"], missing: "reject" }), UnknownDependency);
  const second = await found(client, "second");
  assert.deepEqual([second.state, second.dependencies, second.dependents], ["blocked", ["first"], []]);
  const first = await found(client, "first");
  assert.deepEqual(first.dependents, ["second"]);
  await assert.rejects(first.depend(["second"]), Cycle);
  await assert.rejects(first.cancel(), HasDependents);

  await queue.put("k", 3, { jid: "third" });
  const third = await found(client, "third");
  assert.deepEqual(await third.depend(["first", "gone"]), ["gone"]);
  await assert.rejects(third.depend(["gone"], { missing: "reject" }), UnknownDependency);
  assert.equal(await third.undepend(["first"]), "waiting");
  assert.equal(await second.undepend("all"), "waiting");
  assert.deepEqual(await client.cancel(["first", "second", "none"]), ["first", "second"]);
  assert.equal(await first.cancel(), false);
  assert.equal(await third.cancel(), true);
  assert.equal(await client.job("third"), null);
});

test("a job is completed into a queue where it waits for another", async () => {
  const client = freshClient();
  await client.queue("slow").put("k", 1, { jid: "other" });
  const { jid } = await client.queue("a").put("k");
  const [job] = await client.queue("a").reserve();
  assert.equal(await job?.complete(null, { queue: "b", dependencies: ["other"] }), "blocked");
  assert.deepEqual((await found(client, jid)).dependencies, ["other"]);

  const { jid: next } = await client.queue("a").put("k");
  const worker = new Worker(client, { queues: ["a"] });
  worker.perform("k", async (held) => {
    await held.complete(null, { queue: "b", dependencies: ["other"] });
    worker.stop();
  });
  await worker.run();
  assert.equal((await found(client, next)).state, "blocked");
});

test("a job is requeued with what is new, and its priority changed", async () => {
  const client = freshClient();
  const { jid } = await client.queue("a").put("k", 1, { tags: ["t"], retries: 1 });
  const [held] = await client.queue("a").reserve();
  const job = await found(client, jid);
  const data = new RawJson('{"n": 12345678901234567}');
  assert.equal(await job.requeue({ queue: "b", data, priority: 3, delay: 1000 }), "scheduled");
  const moved = await found(client, jid);
  assert.deepEqual(
    [moved.queue, moved.state, moved.rawData, moved.priority, moved.tags, moved.remaining],
    ["b", "scheduled", data.text, 3, ["t"], 1],
  );
  await assert.rejects(async () => held?.complete(), LockLost);
  assert.equal(await moved.requeue(), "waiting");
  await moved.prioritize(9);
  assert.equal((await found(client, jid)).priority, 9);
  await moved.cancel();
  await assert.rejects(moved.requeue(), JobNotFound);
  await assert.rejects(moved.prioritize(1), JobNotFound);
});

test("tags are added and taken off, counted and found by", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k", 1, { tags: ["a"] });
  await client.queue("q").put("k", 1, { jid: "other", tags: ["b"] });
  const job = await found(client, jid);
  assert.deepEqual(await job.tag("b", "c", "a"), ["a", "b", "c"]);
  assert.deepEqual(await job.untag("a", "none"), ["b", "c"]);
  assert.deepEqual(await client.tags({ limit: 1 }), { total: 2, items: [{ tag: "b", count: 2 }] });
  assert.deepEqual(await client.tagged("b"), { total: 2, jids: [jid, "other"] });
  assert.deepEqual(await client.tagged("b", { offset: 1 }), { total: 2, jids: ["other"] });
});

test("jobs are tracked until they are not", async () => {
  const client = freshClient();
  await client.queue("q").putMany(["a", "b", "c"].map((jid) => ({ kind: "k", jid })));
  assert.equal(await client.track(["a", "b", "none"]), 2);
  const c = await found(client, "c");
  assert.equal(c.tracked, false);
  assert.equal(await c.track(), true);
  assert.equal(await c.track(), false);
  assert.equal((await found(client, "c")).tracked, true);
  assert.deepEqual(await client.tracked(), { total: 3, jids: ["a", "b", "c"] });
  const [reserved] = await client.queue("q").reserve();
  assert.equal(reserved?.tracked, true);
  assert.equal(await client.untrack(["a", "b"]), 2);
  assert.equal(await c.untrack(), true);
  assert.deepEqual(await client.tracked(), { total: 0, jids: [] });
});

test("the holder says how far it is, logs, and keeps new data", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const { jid } = await queue.put("k", { step: 0 });
  const before = await found(client, jid);
  assert.equal(before.progressed, null);
  await before.log("seen", { by_whom: "Ada" });
  const [job] = await queue.reserve<{ step: number }>();
  assert.ok(job);
  await job.progress(0.5, "half");
  await job.log("begun");
  await job.log("counted", new RawJson('{"n":12345678901234567}'));
  assert.equal(await job.heartbeat({ data: { step: 1 } }), 60_000);
  assert.deepEqual(job.data, { step: 1 });
  assert.equal(await job.retry(), "waiting");

  const after = await found(client, jid);
  assert.deepEqual(after.data, { step: 1 });
  const [seen, begun, counted] = after.history.filter(({ what }) => what === "log");
  assert.deepEqual(
    [seen?.message, seen?.data, begun?.message, begun?.data],
    ["seen", { by_whom: "Ada" }, "begun", null],
  );
  assert.equal(counted?.rawData, '{"n":12345678901234567}');
  for (const late of [() => job.progress(1), () => job.heartbeat({ data: 2 }), () => job.retry()]) {
    await assert.rejects(late, (error) => error instanceof WrongState && /is waiting and /.test(error.message));
  }
  await job.log("late");
  assert.equal((await found(client, jid)).history.at(-1)?.message, "late");
  for (const idle of [() => after.progress(1), () => after.heartbeat({ data: 2 })]) {
    await assert.rejects(idle, WrongState);
  }
});

test("in a handler too; and its progress is seen meanwhile", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k", 1);
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", async (job) => {
    await job.progress(0.25);
    const { value, note } = (await found(client, jid)).progressed ?? {};
    await job.heartbeat({ data: [1] });
    await job.tag("late");
    worker.stop();
    return { value, note };
  });
  await worker.run();
  const done = await found(client, jid);
  assert.deepEqual([done.result, done.data, done.tags], [{ value: 0.25, note: "" }, [1], ["late"]]);
});

test("who has lost a job says nothing more of it", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k");
  const [job] = await client.queue("q").reserve();
  await (await found(client, jid)).requeue();
  for (const late of [() => job?.progress(1), () => job?.log("late"), () => job?.heartbeat({ data: 2 })]) {
    await assert.rejects(async () => late(), LockLost);
  }
});

test("who moves, times out or cancels the job in hand has ended it", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  for (const end of [(job: Job) => job.requeue(), (job: Job) => job.timeout(), (job: Job) => job.cancel()]) {
    await queue.put("k");
    const [job] = await queue.reserve();
    assert.ok(job);
    await end(job);
    await assert.rejects(job.complete(), WrongState);
    await job.cancel();
  }
});

test("a job is built without a server", async () => {
  const job = Job.build("resize", { width: 3 }, { tags: ["t"], retries: 2, queue: "images" });
  assert.deepEqual(
    [job.kind, job.data, job.jid, job.queue, job.tags, job.retries, job.remaining, job.state, job.token, job.worker],
    ["resize", { width: 3 }, "built", "images", ["t"], 2, 2, "running", null, null],
  );
  assert.deepEqual([Job.build("k").data, Job.build("k", new RawJson("[ 1 ]")).rawData], [null, "[ 1 ]"]);
  for (const act of ["complete", "heartbeat", "cancel", "requeue", "timeout", "track", "explain"] as const) {
    const message = /^job built was built without a server/;
    await assert.rejects(async () => job[act](), { name: "WRONG_STATE", message }, act);
  }
  await assert.rejects(job.log("m"), { name: "WRONG_STATE", operation: "job_log", jid: "built" });
  assert.throws(() => Job.build("k", 1n), InvalidArgument);
  // biome-ignore lint/suspicious/noExplicitAny: what types would not let through
  assert.throws(() => Job.build("k", 1, { delay: 1 } as any), /^INVALID_ARGUMENT: option delay is unknown/);
});

test("a lease is ended by hand", async () => {
  const client = freshClient();
  const { jid } = await client.queue("q").put("k", 1, { retries: 1 });
  const [job] = await client.queue("q").reserve();
  const seen = await found(client, jid);
  assert.equal(await seen.timeout(), "waiting");
  await assert.rejects(async () => job?.complete(), LockLost);
  await assert.rejects(seen.timeout(), WrongState);
  await client.queue("q").reserve();
  assert.equal(await seen.timeout(), "failed");
});

test("why a job does not run is explained", async () => {
  const client = freshClient();
  await stopClock(client);
  const queue = client.queue("q");
  await queue.putMany([
    { kind: "k", jid: "a" },
    { kind: "k", jid: "b" },
    { kind: "k", jid: "later", delay: 5000 },
    { kind: "k", jid: "blocked", dependencies: ["a"] },
  ]);
  await queue.pause();
  const why = await client.explain("b");
  assert.deepEqual([why?.state, why?.position, why?.estimatedWait], ["waiting", 1, null]);
  assert.deepEqual(
    why?.reasons.map((reason) => reason.why),
    ["paused", "no-worker"],
  );
  assert.deepEqual((await client.explain("later"))?.reasons, [{ why: "scheduled", dueIn: 5000 }]);
  const blocked = await (await found(client, "blocked")).explain();
  assert.deepEqual(blocked?.reasons, [{ why: "dependencies", count: 1, jids: ["a"], failed: [] }]);
  assert.equal(await client.explain("none"), null);
});

test("failed jobs are found by their group, and wait again", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.putMany(["a", "b", "c"].map((jid) => ({ kind: "k", jid })));
  const [a, b, c] = await queue.reserve(3);
  await a?.fail("ink");
  await b?.fail("ink");
  await c?.fail("paper");
  assert.deepEqual(await client.failures(), {
    total: 2,
    items: [
      { group: "ink", count: 2 },
      { group: "paper", count: 1 },
    ],
  });
  const { total, jids } = await client.failed("ink", { limit: 1 });
  assert.deepEqual([total, jids.length], [2, 1]);
  assert.equal(await client.unfail("ink", { queue: "other", limit: 1 }), 1);
  assert.equal(await client.unfail("ink"), 1);
  assert.equal((await client.queue("other").counts()).waiting, 1);
  assert.equal((await client.failures()).total, 1);
});

test("completed jobs are listed, latest first", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  for (const jid of ["a", "b"]) {
    await client.queue("q").put("k", 1, { jid });
    const [job] = await client.queue("q").reserve();
    await job?.complete();
    await move(1);
  }
  assert.deepEqual(await client.completed(), { total: 2, jids: ["b", "a"] });
  assert.deepEqual(await client.completed({ offset: 1, limit: 5 }), { total: 2, jids: ["a"] });
});

test("bad arguments are refused by name", async () => {
  const client = freshClient();
  await client.queue("q").put("k", 1, { jid: "j" });
  const job = await found(client, "j");
  // biome-ignore lint/suspicious/noExplicitAny: what types would not let through
  const untyped = (value: unknown) => value as any;
  const table: [RegExp, string, () => unknown][] = [
    [/^jids must be an array/, "job_cancel", () => client.cancel(untyped("a"))],
    [/^jids\[1\] must be a string/, "job_track", () => client.track(["a", untyped(1)])],
    [/^jids\[0\] .*surrogate/, "job_untrack", () => client.untrack(["\ud800"])],
    [/^jids is empty/, "job_cancel", () => client.cancel([])],
    [/^jids has 1001 items/, "job_get_many", () => client.jobs(Array(1001).fill("a"))],
    [/^limit 0 is outside/, "job_tracked", () => client.tracked({ limit: 0 })],
    [/^offset .*NaN/, "tag_list", () => client.tags({ offset: Number.NaN })],
    [/^option ofset is unknown/, "failure_groups", () => client.failures(untyped({ ofset: 1 }))],
    [/^limit 201 is outside/, "failure_unfail", () => client.unfail("g", { limit: 201 })],
    [/^group is empty/, "failure_jobs", () => client.failed("")],
    [/^tag must be a string/, "tag_jobs", () => client.tagged(untyped(undefined))],
    [/^jid is empty/, "job_explain", () => client.explain("")],
    [/^priority 128 is outside/, "job_prioritize", () => job.prioritize(128)],
    [/^tags is empty/, "job_tag", () => job.tag()],
    [/^tags\[0\] must be a string/, "job_untag", () => job.untag(untyped(["a"]))],
    [/^on must be an array/, "job_depend", () => job.depend(untyped("a"))],
    [/^missing /, "job_depend", () => job.depend(["a"], { missing: untyped("fail") })],
    [/^on is empty/, "job_undepend", () => job.undepend([])],
    [/^delay .*outside|^delay -1/, "job_requeue", () => job.requeue({ delay: -1 })],
    [/^option dealy is unknown/, "job_requeue", () => job.requeue(untyped({ dealy: 1 }))],
    [/^data .*a Map/, "job_requeue", () => job.requeue({ data: new Map() })],
    [/^message is empty/, "job_log", () => job.log("")],
    [/^message and data have 1027 bytes/, "job_log", () => job.log("x", "y".repeat(1024))],
    [/^throttles\[0\] /, "queue_put", () => client.queue("q").put("k", 1, { throttles: [""] })],
    [/^dependencies /, "queue_put", () => client.queue("q").put("k", 1, { dependencies: untyped("a") })],
    [/^missing "fail"/, "queue_put", () => client.queue("q").put("k", 1, { missing: untyped("fail") })],
  ];
  for (const [message, operation, attempt] of table) {
    await assert.rejects(
      async () => attempt(),
      (error) => {
        assert.ok(error instanceof InvalidArgument, `${attempt}: ${error}`);
        assert.match(error.message, message, String(attempt));
        assert.equal(error.operation, operation, String(attempt));
        return true;
      },
      String(attempt),
    );
  }
  const [held] = await client.queue("q").reserve();
  await assert.rejects(async () => held?.progress(1.5), { code: 100, operation: "job_progress" });
  await assert.rejects(async () => held?.progress(Number.NaN), { code: 100, operation: "job_progress" });
  await assert.rejects(async () => held?.heartbeat({ data: 1n }), { code: 100, operation: "job_save" });
  await assert.rejects(async () => held?.heartbeat(untyped({ date: 1 })), { code: 100, operation: "job_heartbeat" });
  await assert.rejects(async () => held?.complete(1, { dependencies: [""] }), { code: 100, operation: "job_complete" });
  assert.equal(await held?.complete(), "completed");
});

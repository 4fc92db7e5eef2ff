// Queues, throttles, recurring jobs, workers, settings and the upkeep of a namespace.
import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidArgument, JobNotFound, RawJson, type Violation, Worker, WrongState } from "manyhands";
import { freshClient, redis, stopClock } from "./server.js";

test("a queue is paused, served again, measured and forgotten", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.putMany([
    { kind: "k", jid: "a" },
    { kind: "k", jid: "b", delay: 60_000 },
  ]);
  assert.equal(await queue.pause(), true);
  assert.equal(await queue.pause(), false);
  assert.equal((await queue.counts()).paused, true);
  assert.deepEqual(await queue.reserve(), []);
  assert.equal(await queue.unpause(), true);
  assert.equal(await queue.unpause(), false);
  assert.equal(await queue.length(), 2);
  await assert.rejects(queue.forget(), WrongState);
  await client.cancel(["a", "b"]);
  assert.equal(await queue.forget(), true);
  assert.equal(await queue.forget(), false);
  assert.deepEqual(await client.queues(), { total: 0, items: [] });
});

test("jobs are peeked at, and listed by state and queue", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.putMany(["a", "b", "c"].map((jid) => ({ kind: "k", jid, data: { jid } })));
  await queue.put("k", 1, { jid: "later", delay: 60_000 });
  const peeked = await queue.peek<{ jid: string }>({ offset: 1, limit: 1 });
  assert.deepEqual(
    peeked.map((job) => job.data.jid),
    ["b"],
  );
  await queue.reserve();
  assert.deepEqual(await queue.jobs("running"), { total: 1, jids: ["a"] });
  assert.deepEqual(await queue.jobs("waiting", { limit: 1 }), { total: 2, jids: ["b"] });
  assert.deepEqual(await queue.jobs("scheduled"), { total: 1, jids: ["later"] });
  const { total, items } = await client.queues();
  assert.deepEqual(
    [total, items[0]?.name, items[0]?.waiting, items[0]?.running, items[0]?.paused],
    [1, "q", 2, 1, false],
  );
});

test("a throttle limits how many jobs run at once, whatever their queues", async () => {
  const client = freshClient();
  const throttle = client.throttle("api");
  const none = { id: "api", queue: null, limit: null, held: 0, pending: 0, expires: null };
  assert.deepEqual(await throttle.counts(), none);
  assert.equal(await throttle.limit(), null);
  await throttle.set(1);
  assert.deepEqual([await throttle.limit(), await throttle.held()], [1, 0]);
  await client.queue("q").put("k", 1, { jid: "a", throttles: ["api"] });
  await client.queue("r").put("k", 1, { jid: "b", throttles: ["api"] });
  const [held] = await client.queue("q").reserve();
  assert.deepEqual(held?.throttles, ["api"]);
  assert.deepEqual(await client.queue("r").reserve(), []);
  assert.equal((await client.job("b"))?.state, "throttled");
  assert.deepEqual(await throttle.counts(), { ...none, limit: 1, held: 1, pending: 1 });
  assert.deepEqual(await throttle.holders(), { total: 1, jids: ["a"] });
  assert.deepEqual(await throttle.pending({ limit: 1 }), { total: 1, jids: ["b"] });
  assert.deepEqual((await client.explain("b"))?.reasons[0], {
    why: "throttled",
    throttle: "api",
    limit: 1,
    held: 1,
    holders: ["a"],
  });
  assert.equal(await throttle.release("b"), true);
  assert.equal(await throttle.release("b"), false);
  assert.equal((await client.queue("r").reserve()).length, 1);
  await assert.rejects(throttle.release("none"), JobNotFound);
  assert.equal(await throttle.delete(), true);
  assert.equal(await throttle.delete(), false);
});

test("a queue has a throttle of its own; limits may expire", async () => {
  const client = freshClient();
  await stopClock(client);
  const queue = client.queue("q");
  await queue.throttle.set(2, { expires: 5000.4 });
  await client.throttle("api").set(3);
  await queue.putMany([{ kind: "k" }, { kind: "k" }, { kind: "k" }]);
  assert.equal((await queue.reserve(3)).length, 2);
  const own = { id: null, queue: "q", limit: 2, held: 2, pending: 1, expires: 5000 };
  assert.deepEqual(await queue.throttle.counts(), own);
  const { total, items } = await client.throttles();
  assert.equal(total, 2);
  assert.deepEqual(
    items.find((item) => item.queue === "q"),
    own,
  );
  await assert.rejects(queue.throttle.release("a"), InvalidArgument);
});

test("a recurring job puts one every interval, and is changed in place", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  const queue = client.queue("q");
  const data = new RawJson('{"n": 12345678901234567}');
  const hourly = await queue.putRecurring("k", data, 3_600_000, { jid: "hourly", offset: 1000, tags: ["t"] });
  assert.deepEqual(
    [hourly.jid, hourly.kind, hourly.queue, hourly.rawData, hourly.interval, hourly.count, hourly.paused, hourly.tags],
    ["hourly", "k", "q", data.text, 3_600_000, 0, false, ["t"]],
  );
  await move(1000);
  const [first] = await queue.reserve();
  assert.deepEqual([first?.jid, first?.parent, first?.rawData, first?.tags], ["hourly-1", "hourly", data.text, ["t"]]);
  assert.equal((await client.job("hourly-1"))?.parent, "hourly");

  await hourly.update({ interval: 1000, data: { step: 2 }, priority: 5, backlog: 1 });
  assert.deepEqual(await hourly.tag("u"), ["t", "u"]);
  assert.deepEqual(await hourly.untag("t"), ["u"]);
  const now = await client.recurring<{ step: number }>("hourly");
  assert.deepEqual(
    [now?.interval, now?.data, now?.priority, now?.backlog, now?.count, now?.tags],
    [1000, { step: 2 }, 5, 1, 1, ["u"]],
  );
  assert.equal(now?.nextAt, (await client.job("hourly-1"))?.putAt && (hourly.nextAt as number) + 1000);
  assert.equal(await hourly.pause(), true);
  assert.equal(await hourly.pause(), false);
  assert.equal((await client.recurring("hourly"))?.nextAt, null);
  await move(10_000);
  assert.deepEqual(await queue.reserve(), []);
  assert.equal(await hourly.resume(), true);
  assert.equal(await hourly.resume(), false);

  const unnamed = await queue.putRecurring("k", null, 500);
  assert.match(unnamed.jid, /^[0-9a-f]{32}$/);
  const { total, items } = await queue.recurring({ limit: 1 });
  assert.deepEqual([total, items.map(({ jid }) => jid)], [2, [unnamed.jid]]);
  assert.deepEqual((await queue.jobs("recurring")).total, 2);
  assert.equal(await hourly.cancel(), true);
  assert.equal(await hourly.cancel(), false);
  assert.equal(await client.recurring("hourly"), null);
  await assert.rejects(hourly.update({ backlog: 1 }), JobNotFound);
  await assert.rejects(hourly.tag("x"), JobNotFound);
  await assert.rejects(hourly.pause(), JobNotFound);
});

test("workers are listed with the jobs that they have in hand, and dropped", async () => {
  const client = freshClient();
  await client.queue("q").put("k", 1, { jid: "a" });
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", async (job) => {
    for (;;) {
      const { items } = await client.workers({ limit: 10 });
      const own = items.find(({ name, status }) => name === job.worker && status !== null);
      if (own === undefined) {
        continue; // Its first pulse is still on the way.
      }
      const { silent, ...others } = own;
      assert.ok(silent >= 0 && silent < 10_000);
      assert.deepEqual([others.lost, others.running, others.stalled], [false, 1, 0]);
      assert.deepEqual([others.status?.language, others.status?.queues, others.status?.kinds], ["node", ["q"], ["k"]]);
      assert.deepEqual(await client.workerJobs(own.name), { total: 1, stalled: 0, jids: ["a"] });
      worker.stop();
      return own.name;
    }
  });
  await worker.run();
  const name = (await client.job("a"))?.result as string;
  assert.deepEqual(await client.workerJobs(name), { total: 0, stalled: 0, jids: [] });
  assert.ok((await client.deregister([name, "none"])) <= 1);
  assert.deepEqual((await client.workers()).items, []);
});

test("settings are listed, and unset", async () => {
  const client = freshClient();
  await client.config.set("heartbeat", 5000);
  await client.config.set("heartbeat", 7000, { queue: "some_queue" });
  await client.config.set("events", "all");
  const { values, defaults, queues } = await client.config.all();
  assert.deepEqual([values.heartbeat, defaults.heartbeat, values.events], [5000, 60_000, "all"]);
  assert.deepEqual(queues, { some_queue: { heartbeat: 7000 } });
  await client.config.unset("heartbeat");
  await client.config.unset("heartbeat", { queue: "some_queue" });
  assert.equal(await client.config.get("heartbeat", { queue: "some_queue" }), 60_000);
});

test("lists of queue patterns are saved", async () => {
  const client = freshClient();
  assert.deepEqual(await client.patterns.get(), { identifiers: {}, priorities: [] });
  await client.patterns.set({ identifiers: { big_ones: ["a*", "!ab"] } });
  await client.patterns.set({ priorities: [{ patterns: ["@big_ones"], fair: true }, { patterns: ["*"] }] });
  assert.deepEqual(await client.patterns.get(), {
    identifiers: { big_ones: ["a*", "!ab"] },
    priorities: [
      { patterns: ["@big_ones"], fair: true },
      { patterns: ["*"], fair: false },
    ],
  });
  await assert.rejects(client.patterns.set({}), InvalidArgument);
});

test("a sweep does what is due, and a check finds what is wrong", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  await client.queue("q").put("k", 1, { jid: "a", delay: 1000 });
  assert.deepEqual(await client.sweep(), { moved: 0, trimmed: 0, nextDue: 1000 });
  await move(1000);
  assert.deepEqual(await client.sweep({ limit: 10 }), { moved: 1, trimmed: 0, nextDue: null });

  const violations = async () => {
    const all: Violation[] = [];
    for await (const one of client.check()) {
      all.push(one);
    }
    return all;
  };
  assert.deepEqual(await violations(), []);
  await redis("ZREM", `{${client.namespace}}:waiting:q`, "a");
  const [missing, ...others] = await violations();
  assert.deepEqual([missing?.rule, missing?.jid, missing?.repaired, others], ["missing", "a", false, []]);
  for await (const { repaired } of client.check({ repair: true, limit: 1 })) {
    assert.equal(repaired, true);
  }
  assert.deepEqual(await violations(), []);
  assert.equal((await client.queue("q").reserve()).length, 1);
});

test("bad arguments are refused by name", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  // biome-ignore lint/suspicious/noExplicitAny: what types would not let through
  const untyped = (value: unknown) => value as any;
  const table: [RegExp, string, () => unknown][] = [
    [/^queue is empty/, "queue_length", () => client.queue("").length()],
    [/^queues\[0\] is empty/, "queue_pause", () => client.queue("").pause()],
    [/^limit 1001 is outside/, "queue_peek", () => queue.peek({ limit: 1001 })],
    [/^state /, "job_list", () => queue.jobs(untyped("popped"))],
    [/^offset -1 is outside/, "queue_list", () => client.queues({ offset: -1 })],
    [/^limit 101 is outside/, "worker_list", () => client.workers({ limit: 101 })],
    [/^worker is empty/, "worker_jobs", () => client.workerJobs("")],
    [/^workers must be an array/, "worker_deregister", () => client.deregister(untyped("w"))],
    [/^id must be a string/, "", () => client.throttle(untyped(1))],
    [/^id begins with queue:/, "throttle_get", () => client.throttle("queue:q").counts()],
    [/^limit -1 is outside/, "throttle_set", () => client.throttle("t").set(-1)],
    [/^limit .*NaN/, "throttle_set", () => client.throttle("t").set(Number.NaN)],
    [/^expires 0 is outside/, "throttle_set", () => client.throttle("t").set(1, { expires: 0 })],
    [/^jid must be a string/, "throttle_release", () => client.throttle("t").release(untyped(null))],
    [/^interval 0 is outside/, "recurring_put", () => queue.putRecurring("k", 1, 0)],
    [/^interval must be a finite/, "recurring_put", () => queue.putRecurring("k", 1, untyped("1h"))],
    [/^offset -1 is negative/, "recurring_put", () => queue.putRecurring("k", 1, 1, { offset: -1 })],
    [/^jid has 236 bytes/, "recurring_put", () => queue.putRecurring("k", 1, 1, { jid: "x".repeat(236) })],
    [/^data .*undefined/, "recurring_put", () => queue.putRecurring("k", undefined, 1)],
    [/^option colour is unknown/, "recurring_put", () => queue.putRecurring("k", 1, 1, untyped({ colour: 1 }))],
    [/^name /, "config_unset", () => client.config.unset("colour")],
    [/^identifiers/, "pattern_set", () => client.patterns.set({ identifiers: untyped(["a"]) })],
    [/^option names is unknown/, "pattern_set", () => client.patterns.set(untyped({ names: {} }))],
    [/^limit 0 is outside/, "sweep", () => client.sweep({ limit: 0 })],
    [/^repair must be/, "check", () => client.check({ repair: untyped(1) }).next()],
    [/^option mend is unknown/, "check", () => client.check(untyped({ mend: true }))],
  ];
  for (const [message, operation, attempt] of table) {
    await assert.rejects(
      async () => attempt(),
      (error) => {
        assert.ok(error instanceof InvalidArgument, `${attempt}: ${error}`);
        assert.match(error.message, message, String(attempt));
        assert.equal(error.operation ?? "", operation, String(attempt));
        return true;
      },
      String(attempt),
    );
  }
  const hourly = await queue.putRecurring("k", 1, 1000);
  await assert.rejects(hourly.update({ interval: 0 }), /^INVALID_ARGUMENT: interval 0 is outside/);
  await assert.rejects(hourly.update({ data: 1n }), { code: 100, operation: "recurring_update" });
  await assert.rejects(hourly.update(untyped({ jid: "x" })), { code: 100, operation: "recurring_update" });
  await assert.rejects(hourly.tag(), { code: 100, operation: "recurring_tag" });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Client,
  Closed,
  InvalidArgument,
  JobExists,
  LockLost,
  ManyhandsError,
  RawJson,
  Unavailable,
  UnknownOperation,
  UnsupportedUrl,
  Worker,
} from "manyhands";
import { freshClient, stopClock, url } from "./server.js";

test("a job is put, seen, reserved and completed", async () => {
  const client = freshClient();
  const queue = client.queue("mail");
  const { jid, outcome } = await queue.put("welcome", { to: "ada" }, { priority: 3, tags: ["new"], route: ["next"] });
  assert.match(jid, /^[0-9a-f]{32}$/);
  assert.equal(outcome, "put");
  assert.deepEqual(await client.job("nobody"), null);

  const waiting = await client.job<{ to: string }>(jid);
  assert.ok(waiting);
  assert.equal(waiting.state, "waiting");
  assert.equal(waiting.data.to, "ada");
  assert.deepEqual([waiting.priority, waiting.tags, waiting.route, waiting.token], [3, ["new"], ["next"], null]);
  assert.ok(Math.abs(waiting.putAt - Date.now()) < 60_000, "milliseconds since 1970");

  const [job, ...others] = await queue.reserve<{ to: string }>(5, { worker: "me:1:00000000" });
  assert.ok(job);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [job.jid, job.kind, job.queue, job.state, job.worker],
    [jid, "welcome", "mail", "running", "me:1:00000000"],
  );
  assert.equal((await queue.counts()).running, 1);
  assert.equal(await job.heartbeat(), 60_000);
  assert.equal(await job.complete({ sent: true }), "waiting", "in the next queue of its route");

  const [next] = await client.queue("next").reserve();
  assert.equal(await next?.complete({ archived: true }), "completed");
  const done = await client.job(jid);
  assert.deepEqual(done?.result, { archived: true });
  assert.deepEqual(
    done?.history.map((event) => event.what),
    ["put", "reserved", "completed", "put", "reserved", "completed"],
  );
  assert.equal((await queue.stats()).run.count, 1);
  assert.equal((await queue.stats(new Date())).wait.count, 1);
});

test("delays, the queue's own settings and the clock are milliseconds", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  const queue = client.queue("later");
  await client.config.set("heartbeat", 5000, { queue: "later" });
  assert.equal(await client.config.get("heartbeat", { queue: "later" }), 5000);
  assert.equal(await client.config.get("heartbeat"), 60_000);
  const { jid } = await queue.put("k", null, { delay: 1500.4 });
  const scheduled = await client.job(jid);
  assert.equal(scheduled?.state, "scheduled");
  assert.equal(scheduled?.dueAt, (scheduled?.putAt as number) + 1500);
  assert.deepEqual(await queue.reserve(), []);
  await move(1500);
  const [job] = await queue.reserve();
  assert.equal(await job?.heartbeat(), 5000);
  assert.equal(await job?.snooze(200), "scheduled");
  await client.config.set("heartbeat", null, { queue: "later" });
  assert.equal(await client.config.get("heartbeat", { queue: "later" }), 60_000);
});

test("new data goes with the completion: assigned, or as an option", async () => {
  const client = freshClient();
  const { jid } = await client.queue("a").put("k", { step: 0 });
  const [first] = await client.queue("a").reserve<{ step: number }>();
  assert.ok(first);
  first.data = { step: 1 };
  assert.equal(first.rawData, '{"step":1}');
  assert.equal(await first.complete(undefined, { queue: "b" }), "waiting");
  const [second] = await client.queue("b").reserve<{ step: number }>();
  assert.deepEqual(second?.data, { step: 1 });
  assert.equal(await second?.complete(undefined, { queue: "c", data: new RawJson("[ 2 ]") }), "waiting");
  assert.equal((await client.job(jid))?.rawData, "[ 2 ]");
});

test("the payload comes back byte for byte", async () => {
  const client = freshClient();
  const texts = ['{"l":[],"n":12345678901234567}', '"é😀\\u0000\\ud83d"', '{ "b" : 1.0, "a" : -0e5 }', "1e400", "null"];
  for (const text of texts) {
    const { jid } = await client.queue("q").put("k", new RawJson(text));
    assert.equal((await client.job(jid))?.rawData, text);
    const [job] = await client.queue("q").reserve();
    assert.equal(job?.rawData, text);
    await job?.complete(new RawJson(text));
    // A result of null and none at all look alike.
    assert.equal((await client.job(jid))?.rawResult, text === "null" ? null : text);
  }
  const { jid } = await client.queue("q").put("k", { n: 2 ** 53, s: "é😀\u0000", d: new Date(0) });
  assert.equal(
    (await client.job(jid))?.rawData,
    '{"n":9007199254740992,"s":"é😀\\u0000","d":"1970-01-01T00:00:00.000Z"}',
  );
});

test("many jobs are put in one call, in order", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k", 0, { jid: "here" });
  const placed = await queue.putMany([{ kind: "k" }, { kind: "k", data: 1, jid: "here", onConflict: "reject" }]);
  assert.deepEqual(
    placed.map((one) => one.outcome),
    ["put", "exists"],
  );
  assert.deepEqual(placed[1], { jid: "here", outcome: "exists", satisfied: [] });
  await assert.rejects(queue.put("k", 1, { jid: "here", onConflict: "reject" }), (error) => {
    assert.ok(error instanceof JobExists);
    assert.deepEqual([error.code, error.name, error.jid, error.operation], [204, "JOB_EXISTS", "here", "queue_put"]);
    return true;
  });
  assert.equal((await client.job("here"))?.rawData, "0");
});

test("an old token is refused", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  const queue = client.queue("q");
  const { jid } = await queue.put("k");
  const [old] = await queue.reserve();
  await move(60_000);
  assert.deepEqual(await queue.reserve(), [], "its grace period begins");
  await move(10_000);
  const [now] = await queue.reserve();
  assert.equal(now?.jid, jid);
  assert.ok(old && now);
  assert.ok(BigInt(now.token as string) > BigInt(old.token as string));
  for (const refused of [() => old.complete(), () => old.heartbeat(), () => old.retry(), () => old.release()]) {
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof LockLost);
      assert.deepEqual(
        [error.code, error.name, error.jid, error.reason, error.retryable],
        [201, "LOCK_LOST", jid, "expired", false],
      );
      return true;
    });
  }
  assert.equal(await now.fail("broken", "no ink"), "failed");
  const failed = await client.job(jid);
  assert.deepEqual([failed?.failure?.group, failed?.failure?.message], ["broken", "no ink"]);
});

test("bad input is refused by name, and nothing is written", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const circle: Record<string, unknown> = { a: 1 };
  circle.self = circle;
  // biome-ignore lint/suspicious/noExplicitAny: what types would not let through
  const untyped = (value: unknown) => value as any;
  const nested = (depth: number): unknown => (depth === 0 ? [] : [nested(depth - 1)]);
  const table: [RegExp, () => unknown][] = [
    [/^data .*NaN/, () => queue.put("k", Number.NaN)],
    [/^data .*lone surrogate/, () => queue.put("k", "\ud800")],
    [/^data\.to\[0\] .*lone surrogate/, () => queue.put("k", { to: ["half \udc00"] })],
    [/^data.* .*lone surrogate/, () => queue.put("k", { "\ud800": 1 })],
    [/^data\.a\[1\]\.b .*Infinity/, () => queue.put("k", { a: [1, { b: Number.NEGATIVE_INFINITY }] })],
    [/^data .*BigInt 1n/, () => queue.put("k", 1n)],
    [/^data .*undefined/, () => queue.put("k", undefined)],
    [/^data\.x .*undefined/, () => queue.put("k", { x: undefined })],
    [/^data\[0\] .*undefined/, () => queue.put("k", [undefined])],
    [/^data\[1\] .*undefined/, () => queue.put("k", new Array(2).fill(1, 0, 1))],
    [/^data\.b .*undefined/, () => queue.put("k", { a: { toJSON: () => 1 }, b: undefined })],
    [/^data .*circular/, () => queue.put("k", circle)],
    [/^data .*a function/, () => queue.put("k", () => 1)],
    [/^data\["a b"\] .*a Map/, () => queue.put("k", { "a b": new Map() })],
    [/^data .*a Promise/, () => queue.put("k", Promise.resolve(1))],
    [/^data\.at .*an invalid Date/, () => queue.put("k", { at: new Date(Number.NaN) })],
    [/^RawJson must be the whole/, () => queue.put("k", [new RawJson("1")])],
    [/^text of RawJson is not JSON/, () => new RawJson('1,"queue":"other"')],
    [/data.*128 deep/, () => queue.put("k", nested(200))],
    [/data.*1048576/, () => queue.put("k", "x".repeat(1024 * 1024))],
    [/^option dealy is unknown; there are jid,/, () => queue.put("k", 1, untyped({ dealy: 1 }))],
    [/^options must be an object/, () => queue.put("k", 1, untyped(5))],
    [/^delay .*NaN/, () => queue.put("k", 1, { delay: Number.NaN })],
    [/^delay -1 is negative/, () => queue.put("k", 1, { delay: -1 })],
    [/^delay .*5/, () => queue.put("k", 1, { delay: untyped("5") })],
    [/priority 5000/, () => queue.put("k", 1, { priority: 5000 })],
    [/^priority .*NaN/, () => queue.put("k", 1, { priority: Number.NaN })],
    [/priority 1.5/, () => queue.put("k", 1, { priority: 1.5 })],
    [/retries -1/, () => queue.put("k", 1, { retries: -1 })],
    [/^tags\[0\] .*BigInt/, () => queue.put("k", 1, { tags: untyped([1n]) })],
    [/tags/, () => queue.put("k", 1, { tags: untyped("blue") })],
    [/^onConflict "fight"/, () => queue.put("k", 1, { onConflict: untyped("fight") })],
    [/jid has 300 bytes/, () => queue.put("k", 1, { jid: "x".repeat(300) })],
    [/^jid must not be null/, () => queue.put("k", 1, { jid: untyped(null) })],
    [/kind is empty/, () => queue.put("")],
    [/^kind must be a string/, () => queue.put(untyped(7))],
    [/queue is empty/, () => client.queue("").put("k")],
    [/^queue must be a string/, () => client.queue(untyped(undefined))],
    [/^jobs\[1\]\.data .*NaN/, () => queue.putMany([{ kind: "k" }, { kind: "k", data: Number.NaN }])],
    [/^kind must be/, () => queue.putMany([untyped({ knid: "k" })])],
    [/^jobs must be an array/, () => queue.putMany(untyped({ kind: "k" }))],
    [/^jobs is empty/, () => queue.putMany([])],
    [/^limit 0 /, () => queue.reserve(0)],
    [/^limit 1.5/, () => queue.reserve(1.5)],
    [/^limit 3 /, () => queue.reserve(untyped("3"))],
    [/limit 5000/, () => queue.reserve(5000)],
    [/^day is an invalid Date/, () => queue.stats(new Date(Number.NaN))],
    [/day/, () => queue.stats("yesterday")],
    [/^jid must be a string/, () => client.job(untyped(7))],
    [/no-such-setting/, () => client.config.set("no-such-setting", 1)],
    [/^value .*NaN/, () => client.config.set("heartbeat", Number.NaN)],
    [/^option quue is unknown/, () => client.config.get("heartbeat", untyped({ quue: "q" }))],
    [/^args .*NaN/, () => client.call("queue_put", Number.NaN)],
    [/job/, () => client.call("queue_put", { job: [] })],
    [/^option namespaec is unknown/, () => new Client(url, untyped({ namespaec: "x" }))],
    [/namespace/, () => new Client(url, { namespace: "a:b" })],
    [/^timeout -5 is negative/, () => new Client(url, { timeout: -5 })],
    [/^url must be a string/, () => new Client(untyped(6379))],
    [/^client must be/, () => new Worker(untyped({}), { queues: ["q"] })],
    [/queues is missing/, () => new Worker(client, untyped({}))],
    [/queues is empty/, () => new Worker(client, { queues: [] })],
    [/^option threads is unknown/, () => new Worker(client, untyped({ queues: ["q"], threads: 2 }))],
    [/0 is outside 1..1000/, () => new Worker(client, { queues: ["q"], concurrency: 0 })],
    [/strategy/, () => new Worker(client, { queues: ["q"], strategy: untyped("fair") })],
    [/^handler of k must be a function/, () => new Worker(client, { queues: ["q"] }).perform("k", untyped("f"))],
    [/^option signal is unknown/, () => new Worker(client, { queues: ["q"] }).run(untyped({ signal: true }))],
  ];
  for (const [message, attempt] of table) {
    const described = `${message} ${attempt}`;
    const thrown = await (async () => attempt())().then(
      () => assert.fail(`nothing refused: ${described}`),
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof InvalidArgument, `${described}: ${thrown}`);
    assert.match(thrown.message, message, described);
    assert.deepEqual([thrown.code, thrown.name, thrown.retryable], [100, "INVALID_ARGUMENT", false]);
  }
  assert.equal((await queue.counts()).waiting, 0, "nothing was written");
});

test("other faults have their class and code too", async () => {
  const client = freshClient();
  const table: [typeof ManyhandsError, number, () => unknown][] = [
    [UnsupportedUrl, 102, () => new Client("amqp://localhost")],
    [UnknownOperation, 101, () => client.call("queue_pop")],
    [Unavailable, 300, () => new Client("unix:///nowhere/redis.sock").queue("q").put("k")],
    [
      Closed,
      107,
      async () => {
        const closed = new Client(url);
        await closed.queue("q").counts();
        await closed.close();
        await closed.close();
        await closed.queue("q").put("k");
      },
    ],
  ];
  for (const [errorClass, code, attempt] of table) {
    await assert.rejects(
      async () => attempt(),
      (error) => error instanceof errorClass && error instanceof ManyhandsError && error.code === code,
      errorClass.name,
    );
  }
});

test("a client is closed by await using", async () => {
  const client = freshClient();
  await client[Symbol.asyncDispose]();
  await assert.rejects(client.queue("q").counts(), Closed);
});

import assert, { AssertionError } from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Backoff, type BuildOptions, Client, defineJob, Fail, InvalidArgument, Job, Snooze, Worker } from "manyhands";
import { drain, inline, perform, recordedPuts } from "manyhands/testing";
import { freshClient, stopClock, written } from "./server.js";

test("perform runs a built job through middleware and handler, without a server", async () => {
  const worker = new Worker(new Client("redis://nobody.invalid"), { queues: ["q"] });
  const built = (data: number) => Job.build("double", data);
  worker.perform<number>("double", (job) => {
    if (job.data < 0) {
      throw new Fail("negative");
    }
    return job.data * 2;
  });
  assert.equal(await perform(worker, built(20)), 40);
  worker.use(async (_, next) => ((await next()) as number) + 1);
  worker.use((job, next) => (job.data === 0 ? "skipped" : next()));
  assert.equal(await perform(worker, built(20)), 41);
  assert.equal(await perform(worker, built(0)), "skipped1");
  await assert.rejects(perform(worker, built(-1)), Fail);
  await assert.rejects(
    perform(worker, Job.build("other")),
    /^INVALID_ARGUMENT: the worker has no handler for kind other/,
  );
  await assert.rejects(perform(worker, { kind: "double" } as never), InvalidArgument);
  await assert.rejects(perform({} as never, built(1)), InvalidArgument);
});

test("drain performs what may run, and what that puts, with middleware, and says how many", async () => {
  const client = freshClient();
  const move = await stopClock(client);
  const seen: unknown[] = [];
  const worker = new Worker(client, { queues: ["first", "second"] });
  worker.use((job, next) => {
    seen.push(`around ${job.data}`);
    return next();
  });
  worker.perform("k", async (job) => {
    if (job.queue === "first") {
      await client.queue("second").put("k", 3);
    }
    return job.data;
  });
  const { jid } = await client.queue("first").put("k", 1, { route: ["second"] });
  await client.queue("second").put("k", 2, { delay: 1000 });
  await client.queue("elsewhere").put("k", 9);
  assert.equal(await drain(worker), 3);
  assert.deepEqual(seen, ["around 1", "around 3", "around 1"]);
  assert.deepEqual([(await client.job(jid))?.state, (await client.job(jid))?.result], ["completed", 1]);
  await move(1000);
  assert.equal(await drain(worker), 1);
  assert.equal(await drain(worker), 0);
  assert.equal(await drain(worker, { queues: ["elsewhere"] }), 1);
});

test("drain stores outcomes as a worker does, and throws what a handler throws", async (t) => {
  written(t);
  const client = freshClient();
  const queue = client.queue("q");
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("fail", () => {
    throw new Fail("paper jam");
  });
  worker.perform("snooze", () => {
    throw new Snooze(1000);
  });
  worker.perform("own", (job) => job.retry(60_000));
  worker.perform("error", () => {
    throw new TypeError("no");
  });
  await queue.putMany(["fail", "snooze", "own"].map((kind) => ({ kind, jid: kind })));
  assert.equal(await drain(worker), 3);
  await queue.put("error", null, { jid: "error" });
  await queue.put("error", null, { jid: "last", retries: 0 });
  await queue.put("stranger", null, { jid: "stranger" });
  await assert.rejects(drain(worker), TypeError);
  await assert.rejects(drain(worker), TypeError);
  assert.equal(await drain(worker), 1, "the stranger");
  await queue.put("error");
  await queue.put("fail");
  assert.equal(await drain(worker, { throws: false }), 2);
  const jobs = await client.jobs(["fail", "snooze", "own", "error", "last", "stranger"]);
  assert.deepEqual(
    jobs.map((job) => [job?.state, job?.failure?.group]),
    [
      ["failed", "paper jam"],
      ["scheduled", undefined],
      ["scheduled", jobs[2]?.failure?.group],
      ["scheduled", jobs[3]?.failure?.group],
      ["failed", "error:TypeError"],
      ["failed", "unknown-kind:stranger"],
    ],
  );
});

test("what a drained job cannot keep is its handler's error, and a long group is cut", async (t) => {
  written(t);
  const client = freshClient();
  const queue = client.queue("q");
  const worker = new Worker(client, { queues: ["q"] });
  const [long, stranger] = ["k".repeat(250), "s".repeat(250)];
  worker.perform("large", () => "x".repeat(2 ** 20));
  worker.perform(long, () => {
    throw new TypeError("no");
  });
  await queue.put("large", null, { jid: "large", retries: 0 });
  await assert.rejects(drain(worker), /^INVALID_ARGUMENT: .*max-data/);
  await queue.put(long, null, { jid: "long", retries: 0 });
  await queue.put(stranger, null, { jid: "stranger" });
  assert.equal(await drain(worker, { throws: false }), 2);
  const jobs = await client.jobs(["large", "long", "stranger"]);
  assert.deepEqual(
    jobs.map((job) => [job?.state, job?.failure?.group]),
    [
      ["failed", "large:INVALID_ARGUMENT"],
      ["failed", `${long}:Type`],
      ["failed", `unknown-kind:${stranger}`.slice(0, 255)],
    ],
  );
});

test("drain follows patterns of queues, to those too that are new meanwhile", async () => {
  const client = freshClient();
  await client.patterns.set({ identifiers: { slow: ["video"] } });
  const performed: string[] = [];
  const worker = new Worker(client, { queues: ["mail-*", "!mail-bulk", "@slow"] });
  worker.perform("k", async (job) => {
    performed.push(job.queue);
    if (job.queue === "mail-a") {
      await client.queue("mail-new").put("k");
    }
  });
  assert.equal(await drain(worker), 0);
  for (const name of ["video", "mail-bulk", "mail-a", "other"]) {
    await client.queue(name).put("k");
  }
  assert.equal(await drain(worker), 3);
  assert.deepEqual(performed, ["mail-a", "mail-new", "video"]);
  assert.equal(await drain(worker, { queues: ["mail-b*"] }), 1);
  await assert.rejects(drain(worker, { queues: [""] }), /^INVALID_ARGUMENT: queues\[0\] is empty/);
  await assert.rejects(drain(worker, { queues: "mail" as never }), InvalidArgument);
});

test("inline: a put performs at once, with what its handler puts, until it is stopped", async (t) => {
  written(t);
  const client = freshClient();
  const worker = new Worker(client, { queues: ["q"] });
  const order: string[] = [];
  worker.perform<number>("k", async (job) => {
    order.push(`begin ${job.data}`);
    if (job.data < 12) {
      await client.queue("q").put("k", job.data + 1);
    }
    order.push(`end ${job.data}`);
  });
  worker.perform("broken", () => {
    throw new RangeError("too far");
  });
  const warnings: Error[] = [];
  const warned = (warning: Error) => void warnings.push(warning);
  process.on("warning", warned);
  const mode = inline(worker);
  const { jid } = await client.queue("q").put("k", 1);
  assert.equal((await client.job(jid))?.state, "completed");
  const jobs = Array.from({ length: 12 }, (_, index) => index + 1);
  assert.deepEqual(order, [...jobs.map((n) => `begin ${n}`), ...jobs.reverse().map((n) => `end ${n}`)]);
  await assert.rejects(client.queue("q").put("broken"), RangeError);
  mode.stop();
  mode.stop();
  process.off("warning", warned);
  assert.deepEqual(warnings, []);
  await client.queue("q").put("k", 5);
  assert.equal((await client.queue("q").counts()).waiting, 1);
});

test("recorded puts are not sent, are checked as ever, and can be asserted", async () => {
  const client = new Client("redis://nobody.invalid", { timeout: 1 });
  client.use((puts, next) => {
    for (const put of puts) {
      put.options.tags = ["ours"];
    }
    return next();
  });
  const recorded = recordedPuts(client);
  const { jid, outcome } = await client.queue("mail").put("welcome", { to: "ada" }, { delay: 5, jid: "one" });
  assert.deepEqual([jid, outcome], ["one", "put"]);
  await defineJob<null>({ kind: "tidy", queue: "nightly", retries: 1 }, () => {}).put(client);
  assert.equal(recorded.puts.length, 2);
  const put = recorded.assertPut({ kind: "welcome", queue: "mail", data: { to: "ada" }, options: { delay: 5 } });
  assert.deepEqual(put.options, { delay: 5, jid: "one", tags: ["ours"] });
  assert.equal(recorded.assertPut({ data: null }).kind, "tidy");
  assert.equal(recorded.assertPut({ options: { retries: 1 } }).queue, "nightly");
  recorded.assertNotPut({ kind: "welcome", data: { to: "grace" } });
  assert.throws(
    () => recorded.assertPut({ kind: "welcome", options: { delay: 6 } }),
    (error) => error instanceof AssertionError && error.message.includes('{"queue":"nightly","kind":"tidy"'),
  );
  assert.throws(() => recorded.assertNotPut(), AssertionError);
  await assert.rejects(client.queue("mail").put("welcome", Number.NaN), InvalidArgument);
  await assert.rejects(client.queue("mail").putMany([{ kind: "k" }, { kind: "k", data: 1n }]), /jobs\[1\]\.data/);
  recorded.clear();
  recorded.assertNotPut();
  recorded.stop();
  await assert.rejects(client.queue("mail").put("welcome"), { name: "UNAVAILABLE" });
  await client.close();
});

test("a recorded put and a built job refuse what a put refuses, in its words", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  const refused: BuildOptions[] = [
    { priority: 999 },
    { retries: -1 },
    { retries: 1.5 },
    { jid: "" },
    { tags: Array(33).fill("t") },
    { headers: { "": "x".repeat(5_000) } },
    { timeout: 1e15 },
    { backoff: Array(65).fill(1) },
    { backoff: Backoff.exponential(1, { factor: 1e9 }) },
  ];
  const said = async (act: () => unknown) => {
    try {
      await act();
    } catch (error) {
      const { name, message, operation } = error as InvalidArgument;
      return [name, message, operation];
    }
    return "it was taken";
  };
  for (const options of refused) {
    const acts = [
      () => queue.put("k", null, options),
      () => queue.putMany([{ kind: "k" }, { kind: "k", ...options }]),
      () => queue.put("", null, options),
    ];
    const ofPuts = await Promise.all(acts.map(said));
    assert.equal(ofPuts[0]?.[0], "INVALID_ARGUMENT", JSON.stringify(options));
    using recorded = recordedPuts(client);
    assert.deepEqual(await Promise.all(acts.map(said)), ofPuts);
    recorded.assertNotPut();
    assert.deepEqual(await said(() => Job.build("k", null, options)), ["INVALID_ARGUMENT", ofPuts[0]?.[1], null]);
  }
  assert.equal(await queue.length(), 0);
});

test("the example of the documentation is the file, and passes", async () => {
  const root = new URL("../../../../", import.meta.url);
  const example = await readFile(new URL("examples/node/greetings.test.mjs", root), "utf8");
  const page = await readFile(new URL("docs/testing.md", root), "utf8");
  assert.ok(page.includes(`\`\`\`js\n${example}\`\`\`\n`), "docs/testing.md shows examples/node/greetings.test.mjs");
  const folder = await mkdtemp(join(dirname(fileURLToPath(import.meta.url)), "example-"));
  try {
    await writeFile(join(folder, "greetings.test.mjs"), example);
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, ["--test", "greetings.test.mjs"], {
      cwd: folder,
      env,
    });
    assert.match(stdout, /^# pass 5$|^ℹ pass 5$/m);
  } finally {
    await rm(folder, { recursive: true });
  }
});

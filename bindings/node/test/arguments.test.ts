// What a refusal says: the argument as JavaScript knows it, and during which operation.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, InvalidArgument, type Job, ManyhandsError, Retry, Snooze, Worker } from "manyhands";
import { freshClient, url } from "./server.js";

// biome-ignore lint/suspicious/noExplicitAny: what types would not let through
const untyped = (value: unknown) => value as any;

/** Milliseconds: a little more than the hundred years that a span may last. */
const LONG = 3_155_760_000_001;

type Row<Act> = [act: Act, message: string, operation: string | null];

async function refusal(act: () => unknown): Promise<ManyhandsError> {
  return (async () => act())().then(
    () => assert.fail(`nothing refused: ${act}`),
    (error: unknown) => {
      assert.ok(error instanceof ManyhandsError, String(error));
      return error;
    },
  );
}

async function isRefused(act: () => unknown, message: string, operation: string | null): Promise<void> {
  const error = await refusal(act);
  assert.ok(error instanceof InvalidArgument, String(error));
  assert.equal(error.message.slice(0, message.length), message, String(act));
  assert.equal(error.operation, operation, `${message} ${act}`);
}

const CALLS: Row<(client: Client) => unknown>[] = [
  [(client) => client.queue("").put("k"), "queue is empty", "queue_put"],
  [(client) => client.queue("q").put(""), "kind is empty", "queue_put"],
  [(client) => client.queue("q").putMany([untyped({ kind: 7 })]), "kind must be a string", "queue_put"],
  [(client) => client.queue("").reserve(), "queue is empty", "queue_reserve"],
  [(client) => client.queue("q").reserve(0), "limit 0 is outside 1..250", "queue_reserve"],
  [(client) => client.queue("q").reserve(1.5), "limit 1.5 is not a whole number", "queue_reserve"],
  [(client) => client.queue("q").reserve(1, { worker: "" }), "worker is empty", "queue_reserve"],
  [(client) => client.queue("").counts(), "queue is empty", "queue_counts"],
  [(client) => client.queue("q").stats("soon"), "day ", "queue_stats"],
  [(client) => client.job(""), "jid is empty", "job_get"],
  [(client) => client.config.get("colour"), "name colour is not a setting", "config_get"],
  [(client) => client.config.set("heartbeat", -1), "value of heartbeat -1 is outside 100..86400000", "config_set"],
  [(client) => client.call("queue_put", Number.NaN), "args cannot be written as JSON", "queue_put"],
  [
    (client) => client.call("queue_put", { jobs: [{ delay_ms: -1, queue: "q", kind: "k" }] }),
    "delay_ms -1",
    "queue_put",
  ],
  [() => new Retry(-1), "delay -1 is negative", "job_retry"],
  [() => new Snooze(-1), "delay -1 is negative", "job_snooze"],
  [() => new Client(url, { timeout: 0 }), "timeout 0 is outside 1..600000", null],
  [() => new Client(url, { namespace: "a b" }), 'namespace "a b" is not', null],
  [() => new Client(url, { engineUpgrade: untyped("maybe") }), 'engineUpgrade "maybe" is neither', null],
  [() => new Client("redis://localhost:port"), "url: the port", null],
  [(client) => new Worker(client, { queues: [] }), "queues is empty", null],
  [(client) => new Worker(client, { queues: ["q", ""] }), "queues[1] is empty", null],
  [(client) => new Worker(client, { queues: ["q"], concurrency: 0 }), "concurrency 0 is outside 1..1000", null],
  [(client) => new Worker(client, { queues: ["q"], strategy: untyped("best") }), "strategy best is unknown", null],
  [(client) => new Worker(client, { queues: ["q"], shutdownTimeout: LONG }), "shutdownTimeout 3155760000001", null],
  [(client) => new Worker(client, { queues: ["q"], interval: 9.4 }), "interval 9 is outside 10..86400000", null],
  [
    (client) => new Worker(client, { queues: ["q"], interval: untyped("2s") }),
    "interval must be a finite number",
    null,
  ],
  [(client) => new Worker(client, { queues: ["q"] }).perform("", () => {}).run(), "kind is empty", null],
  [(client) => new Worker(client, { queues: ["q"] }).next(untyped(null)), "options must be an object", "worker_next"],
  [(client) => new Worker(client, { queues: ["q"] }).next({ timeout: -1 }), "timeout -1 is negative", "worker_next"],
];

const PUTS: [options: object, message: string][] = [
  [{ delay: -1 }, "delay -1 is negative"],
  [{ delay: LONG }, "delay 3155760000001 is outside"],
  [{ priority: 128 }, "priority 128 is outside"],
  [{ priority: 1.5 }, "priority 1.5 is not a whole number"],
  [{ retries: 256 }, "retries 256 is outside"],
  [{ onConflict: "fight" }, 'onConflict "fight" is not one of'],
  [{ tags: [""] }, "tags[0] is empty"],
];

const ENDS: Row<(job: Job) => unknown>[] = [
  [(job) => job.complete(1, { delay: -1 }), "delay -1 is negative", "job_complete"],
  [(job) => job.complete(1, { delay: LONG }), "delay 3155760000001 is outside", "job_complete"],
  [(job) => job.complete(1, untyped(null)), "options must be an object, not null", "job_complete"],
  [(job) => job.complete(1, untyped([])), "options must be an object, not an array", "job_complete"],
  [(job) => job.heartbeat(untyped(null)), "options must be an object, not null", "job_heartbeat"],
  [(job) => job.requeue(untyped(null)), "options must be an object, not null", "job_requeue"],
  [(job) => job.requeue(untyped([])), "options must be an object, not an array", "job_requeue"],
  [(job) => job.complete(1, { queue: "" }), "queue is empty", "job_complete"],
  [(job) => job.complete(1, { queue: untyped(5) }), "queue 5 is not a text", "job_complete"],
  [(job) => job.complete(1n), "result cannot be written as JSON", "job_complete"],
  [(job) => job.complete(1, { data: 1n }), "data cannot be written as JSON", "job_complete"],
  [(job) => job.fail(""), "group is empty", "job_fail"],
  [(job) => job.retry(LONG), "delay 3155760000001 is outside", "job_retry"],
  [(job) => job.retry(0, { group: "a\nb" }), "group has a control character", "job_retry"],
  [(job) => job.snooze(LONG), "delay 3155760000001 is outside", "job_snooze"],
];

test("a refused call names the argument and the operation", async () => {
  const client = freshClient();
  for (const [act, message, operation] of CALLS) {
    await isRefused(() => act(client), message, operation);
  }
});

test("a refused change of a recurring job names its options", async () => {
  const recurring = await freshClient().queue("q").putRecurring("k", 1, 1000);
  await isRefused(() => recurring.update(untyped(null)), "options must be an object, not null", "recurring_update");
});

test("a refused put names the argument, and of several the job too", async () => {
  const queue = freshClient().queue("q");
  for (const [options, message] of PUTS) {
    await isRefused(() => queue.put("k", 1, options), message, "queue_put");
    await isRefused(() => queue.putMany([{ kind: "k", ...options }]), message, "queue_put");
    const several = [{ kind: "k" }, { kind: "k" }, { kind: "k" }, { kind: "k", ...options }];
    await isRefused(() => queue.putMany(several), `jobs[3].${message}`, "queue_put");
  }
  const large = "x".repeat(1024 * 1024);
  await isRefused(() => queue.put("k", large), "data has 1048578 bytes", "queue_put");
  await isRefused(
    () => queue.putMany([{ kind: "k" }, { kind: "k", data: large }]),
    "jobs[1].data has 1048578",
    "queue_put",
  );
  await isRefused(
    () => queue.putMany([{ kind: "k" }, untyped({ kind: "k", dealy: 1 })]),
    "option jobs[1].dealy",
    "queue_put",
  );
  assert.equal((await queue.counts()).waiting, 0);
});

test("a refused end names the argument and the operation, whoever holds the job", async () => {
  const client = freshClient();
  const queue = client.queue("q");
  await queue.put("k");
  const [job] = await queue.reserve();
  assert.ok(job);
  for (const [act, message, operation] of ENDS) {
    await isRefused(() => act(job), message, operation);
  }
  await queue.put("k");
  const worker = new Worker(client, { queues: ["q"] });
  worker.perform("k", async (held) => {
    for (const [act, message, operation] of ENDS) {
      await isRefused(() => act(held), message, operation);
    }
    await held.complete("all refused");
    worker.stop();
  });
  await worker.run();
  assert.equal((await queue.counts()).waiting, 0);
  assert.equal(await job.complete(), "completed");
});

test("other errors name the operation too", async () => {
  const client = freshClient();
  assert.equal((await refusal(() => client.call("queue_dance"))).operation, "queue_dance");
  await client.queue("q").put("k", 1, { jid: "j" });
  const idle = await client.job("j");
  assert.ok(idle);
  for (const verb of ["complete", "retry", "release", "heartbeat"] as const) {
    const error = await refusal(() => idle[verb]());
    assert.deepEqual([error.name, error.operation, error.jid], ["WRONG_STATE", `job_${verb}`, "j"]);
  }
});

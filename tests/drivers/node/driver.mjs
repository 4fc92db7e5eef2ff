// Answers the scenario runner through the Node package's public surface. The protocol: tests/README.md.
import { createInterface } from "node:readline";
import { Client, ManyhandsError } from "manyhands";

const TAKEN = ["jid", "kind", "queue", "data", "priority", "retries", "remaining", "token", "putAt", "worker", "tags", "route"];
const VIEWED = [...TAKEN, "state", "stalled", "result", "dueAt", "leaseUntil", "failure", "history"];
const NAMES = { putAt: "put_at_ms", dueAt: "due_at_ms", leaseUntil: "lease_until_ms", at: "at_ms", run: "run_ms" };
const TIMES = { ...NAMES, mean: "mean_ms", deviation: "deviation_ms", p50: "p50_ms", p99: "p99_ms" };
const OPTIONS = { delay_ms: "delay", timeout_ms: "timeout", on_conflict: "onConflict", engine_upgrade: "engineUpgrade" };
const clients = new Map();
const held = new Map(); // reserved jobs that nobody ended

// The members of an object under other names; spans and instants are milliseconds on both sides.
const renamed = (fields, names) => Object.fromEntries(Object.entries(fields).map(([name, value]) => [names[name] ?? name, value]));

const key = (label, { jid, token }) => `${label} ${token} ${jid}`;

function described(job, names) {
  const fields = renamed(Object.fromEntries(names.map((name) => [name, job[name]])), NAMES);
  return fields.history ? { ...fields, failure: job.failure && renamed(job.failure, NAMES), history: job.history.map((event) => renamed(event, NAMES)) } : fields;
}

async function put(client, jobs) {
  const queue = client.queue(jobs[0].queue);
  const items = jobs.map(({ queue: _, ...job }) => renamed(job, OPTIONS));
  if (items.length > 1) return queue.putMany(items);
  const [{ kind, data = null, ...options }] = items;
  return [await queue.put(kind, data, options)];
}

async function reserve(label, client, { queues, limit, worker }) {
  const jobs = await client.queue(queues[0]).reserve(limit, worker === undefined ? {} : { worker });
  for (const job of jobs) held.set(key(label, job), job);
  return { jobs: jobs.map((job) => described(job, TAKEN)) };
}

async function end(label, verb, { jid, token, ...fields }) {
  const job = held.get(key(label, { jid, token }));
  if (verb === "heartbeat") return [{ jid, lease_ms: await job.heartbeat() }];
  held.delete(key(label, job));
  const { result, delay, group, message, trace, ...options } = renamed(fields, OPTIONS);
  const given = {
    complete: () => [result, delay === undefined ? options : { ...options, delay }],
    fail: () => [group, message, trace],
    retry: () => [delay, { group, message, trace }],
    snooze: () => [delay],
    release: () => [],
  };
  return [{ jid, outcome: await job[verb](...given[verb]()) }];
}

async function perform(label, client, operation, args) {
  const [noun, verb] = operation.split("_");
  const jobs = args.jobs ?? [];
  if (operation === "queue_put" && new Set(jobs.map((job) => job.queue)).size === 1) return put(client, jobs);
  if (operation === "queue_reserve" && args.queues.length === 1) return reserve(label, client, args);
  if (operation === "queue_counts") return client.queue(args.queue).counts();
  if (operation === "queue_stats") {
    const stats = await client.queue(args.queue).stats(args.day);
    return { ...stats, wait: renamed(stats.wait, TIMES), run: renamed(stats.run, TIMES) };
  }
  if (operation === "job_get") {
    const job = await client.job(args.jid);
    return job && described(job, VIEWED);
  }
  // A Job measures its run itself, and ends once: what tells run_ms or a spent token goes through the door.
  if (noun === "job" && jobs.length === 1 && !("run_ms" in jobs[0]) && held.has(key(label, jobs[0]))) return end(label, verb, jobs[0]);
  const { name, value, ...options } = args;
  if (operation === "config_get") return client.config.get(name, options);
  if (operation === "config_set") return (await client.config.set(name, value, options)) ?? null;
  return operation === "close" ? ((await client.close()) ?? null) : client.call(operation, args);
}

async function answer(label, options, operation, args) {
  try {
    if (!clients.has(label)) {
      const { url, ...others } = JSON.parse(options);
      clients.set(label, new Client(url, renamed(others, OPTIONS)));
    }
    return { reply: await perform(label, clients.get(label), operation, JSON.parse(args)) };
  } catch (error) {
    const { code, name, message, operation, jid, reason, retryable } = error;
    return { error: error instanceof ManyhandsError ? { code, name, message, operation, jid, reason, retryable } : { name, message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(...line.split("\t")))}\n`);
}

// Answers the scenario runner through the Node package's public surface. The protocol: tests/README.md.
import { createInterface } from "node:readline";
import { Client, ManyhandsError } from "manyhands";

const NAMED = ["jid", "kind", "queue", "data", "priority", "retries", "remaining", "token", "worker", "tags", "route"];
const TAKEN = [...NAMED, "putAt"];
const VIEWED = [...TAKEN, "state", "stalled", "result", "dueAt", "leaseUntil", "failure", "history"];

// Names of the core and of this package, whose spans and instants are milliseconds as well.
const INSTANTS = { putAt: "put_at_ms", dueAt: "due_at_ms", leaseUntil: "lease_until_ms", at: "at_ms", run: "run_ms" };
const TIMES = { mean: "mean_ms", deviation: "deviation_ms", p50: "p50_ms", p99: "p99_ms" };
const OPTIONS = {
  delay_ms: "delay",
  timeout_ms: "timeout",
  on_conflict: "onConflict",
  engine_upgrade: "engineUpgrade",
};

const clients = new Map();
const held = new Map(); // reserved jobs that nobody ended

function renamed(fields, names) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [names[name] ?? name, value]));
}

function described(job, names) {
  return renamed(Object.fromEntries(names.map((name) => [name, job[name]])), INSTANTS);
}

function key(label, { jid, token }) {
  return `${label} ${token} ${jid}`;
}

async function put(client, _, { jobs }) {
  if (new Set(jobs.map((job) => job.queue)).size !== 1) {
    return client.call("queue_put", { jobs });
  }
  const queue = client.queue(jobs[0].queue);
  const items = jobs.map(({ queue: _, ...job }) => renamed(job, OPTIONS));
  if (items.length > 1) {
    return queue.putMany(items);
  }
  const [{ kind, data = null, ...options }] = items;
  return [await queue.put(kind, data, options)];
}

async function reserve(client, label, args) {
  if (args.queues.length !== 1) {
    return client.call("queue_reserve", args);
  }
  const options = args.worker === undefined ? {} : { worker: args.worker };
  const jobs = await client.queue(args.queues[0]).reserve(args.limit, options);
  for (const job of jobs) {
    held.set(key(label, job), job);
  }
  return { jobs: jobs.map((job) => described(job, TAKEN)) };
}

async function stats(client, _, { queue, day }) {
  const { wait, run, ...others } = await client.queue(queue).stats(day);
  return { wait: renamed(wait, TIMES), run: renamed(run, TIMES), ...others };
}

async function lookUp(client, _, { jid }) {
  const job = await client.job(jid);
  return (
    job && {
      ...described(job, VIEWED),
      failure: job.failure && renamed(job.failure, INSTANTS),
      history: job.history.map((event) => renamed(event, INSTANTS)),
    }
  );
}

// A Job measures its run itself, and ends once: what tells run_ms or a spent token goes through the door.
const end = (verb, given) => async (client, label, args) => {
  const [item] = args.jobs;
  const job = args.jobs.length === 1 && item.run_ms === undefined && held.get(key(label, item));
  if (!job) {
    return client.call(`job_${verb}`, args);
  }
  held.delete(key(label, item));
  const { jid, token: _, ...fields } = item;
  return [{ jid, outcome: await job[verb](...given(renamed(fields, OPTIONS))) }];
};

async function heartbeat(client, label, args) {
  const job = args.jobs.length === 1 && held.get(key(label, args.jobs[0]));
  return job ? [{ jid: job.jid, lease_ms: await job.heartbeat() }] : client.call("job_heartbeat", args);
}

const METHODS = {
  queue_put: put,
  queue_reserve: reserve,
  queue_counts: (client, _, { queue }) => client.queue(queue).counts(),
  queue_stats: stats,
  job_get: lookUp,
  job_complete: end("complete", ({ result, ...options }) => [result, options]),
  job_fail: end("fail", ({ group, message, trace }) => [group, message, trace]),
  job_retry: end("retry", ({ delay, ...options }) => [delay, options]),
  job_snooze: end("snooze", ({ delay }) => [delay]),
  job_release: end("release", () => []),
  job_heartbeat: heartbeat,
  config_get: (client, _, { name, ...options }) => client.config.get(name, options),
  config_set: (client, _, { name, value, ...options }) => client.config.set(name, value, options),
  close: (client) => client.close(),
};

async function perform(label, client, operation, args) {
  const method = METHODS[operation];
  return method ? method(client, label, args) : client.call(operation, args);
}

async function answer(label, options, operation, args) {
  try {
    if (!clients.has(label)) {
      const { url, ...others } = JSON.parse(options);
      clients.set(label, new Client(url, renamed(others, OPTIONS)));
    }
    return { reply: (await perform(label, clients.get(label), operation, JSON.parse(args))) ?? null };
  } catch (error) {
    const { name, message, code, operation, jid, reason, retryable } = error;
    const ours = error instanceof ManyhandsError;
    return { error: ours ? { name, message, code, operation, jid, reason, retryable } : { name, message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(...line.split("\t")))}\n`);
}

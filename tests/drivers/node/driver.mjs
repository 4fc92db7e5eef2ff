// Answers the scenario runner through the Node package's public surface. The protocol: tests/README.md.
import { createInterface } from "node:readline";
import { Backoff, Client, ManyhandsError, RawJson } from "manyhands";

const NAMED = ["jid", "kind", "queue", "data", "priority", "retries", "remaining", "token", "worker", "tags", "route"];
const TAKEN = [...NAMED, "putAt", "throttles", "headers", "runTimeout", "backoff", "tracked", "parent"];
const LINKED = ["dependencies", "dependents", "progressed"];
const VIEWED = [...TAKEN, ...LINKED, "state", "stalled", "result", "dueAt", "leaseUntil", "failure", "history"];
const LISTED = ["priority", "retries", "tags", "throttles", "route", "headers"];
const TIMES_OF_JOB = ["interval", "nextAt", "timeout", "backoff"];
const TEMPLATE = ["jid", "kind", "queue", "data", "backlog", "count", "paused", ...TIMES_OF_JOB, ...LISTED];
const SHARED = [...LISTED, "timeout_ms", "backoff_ms"];
const PAGE = ["offset", "limit"];

// Names of the core and of this package, whose spans and instants are milliseconds as well.
const INSTANTS = {
  putAt: "put_at_ms",
  dueAt: "due_at_ms",
  leaseUntil: "lease_until_ms",
  nextAt: "next_at_ms",
  at: "at_ms",
  run: "run_ms",
  interval: "interval_ms",
  runTimeout: "timeout_ms",
  timeout: "timeout_ms",
  backoff: "backoff_ms",
  progressed: "progress",
};
const TIMES = { mean: "mean_ms", deviation: "deviation_ms", p50: "p50_ms", p99: "p99_ms" };
const REASONS = { dueIn: "due_in_ms", leaseLeft: "lease_left_ms", ago: "ago_ms", estimatedWait: "estimated_wait_ms" };
const OPTIONS = {
  delay_ms: "delay",
  interval_ms: "interval",
  offset_ms: "offset",
  expires_ms: "expires",
  timeout_ms: "timeout",
  backoff_ms: "backoff",
  on_conflict: "onConflict",
  engine_upgrade: "engineUpgrade",
};

// Whole numbers beyond JavaScript's stand as texts that begin with this while they are here.
const BIG = "\u{e000}";
const SCAN = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

function parsed(json) {
  const fits = (part) => part.startsWith('"') || Number.isSafeInteger(Number(part));
  return JSON.parse(json.replace(SCAN, (part) => (fits(part) ? part : `"${BIG}${part}"`)));
}

function written(value) {
  return JSON.stringify(value).replaceAll(new RegExp(`"${BIG}(-?\\d+)"`, "g"), "$1");
}

/** What a user passes as data or result. */
function payload(value) {
  const json = value === undefined ? undefined : written(value);
  return json === JSON.stringify(value) ? value : new RawJson(json);
}

async function call(client, operation, args) {
  return parsed(await client.callRaw(operation, payload(args)));
}

const clients = new Map();
const held = new Map(); // reserved jobs that nobody ended

function renamed(fields, names) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [names[name] ?? name, value]));
}

/** Options of a job as a user writes them. */
function typed({ backoff_ms: backoff, ...options }) {
  const { list, first, ...others } = backoff ?? {};
  const made = list ? Backoff.list(list, others) : first === undefined ? backoff : Backoff.exponential(first, others);
  return renamed(made === undefined ? options : { ...options, backoff: made }, OPTIONS);
}

function described(job, names) {
  const fields = renamed(Object.fromEntries(names.map((name) => [name, job[name]])), INSTANTS);
  return { ...fields, data: parsed(job.rawData), ...(job.rawResult ? { result: parsed(job.rawResult) } : {}) };
}

function viewed(job) {
  return (
    job && {
      ...described(job, VIEWED),
      progress: job.progressed && renamed(job.progressed, INSTANTS),
      failure: job.failure && renamed(job.failure, INSTANTS),
      history: job.history.map(({ rawData, ...event }) => ({
        ...renamed(event, INSTANTS),
        ...(rawData ? { data: parsed(rawData) } : {}),
      })),
    }
  );
}

function explained(why) {
  return why && { ...renamed(why, REASONS), reasons: why.reasons.map((reason) => renamed(reason, REASONS)) };
}

function template(recurring) {
  return recurring && described(recurring, TEMPLATE);
}

function key(label, { jid, token }) {
  return `${label} ${token} ${jid}`;
}

async function put(client, _, { jobs }) {
  if (new Set(jobs.map((job) => job.queue)).size !== 1) {
    return call(client, "queue_put", { jobs });
  }
  const queue = client.queue(jobs[0].queue);
  const items = jobs.map(({ queue: _, data = null, ...job }) => ({ ...typed(job), data: payload(data) }));
  if (items.length > 1) {
    return queue.putMany(items);
  }
  const [{ kind, data = null, ...options }] = items;
  return [await queue.put(kind, data, options)];
}

async function reserve(client, label, args) {
  if (args.queues.length !== 1) {
    return call(client, "queue_reserve", args);
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

// A thing's own method, where the arguments are its alone; others go through the door.
const known = (names, method) => async (client, _, args, operation) =>
  Object.keys(args).every((name) => names.includes(name)) ? method(client, args) : call(client, operation, args);

const done =
  (method) =>
  async (...args) => {
    await method(...args);
    return "OK";
  };

/** The thing of this jid; null for none, also for what is no jid. */
async function found(look, jid) {
  try {
    return typeof jid === "string" ? await look(jid) : null;
  } catch (error) {
    if (error.name === "INVALID_ARGUMENT") {
      return null;
    }
    throw error;
  }
}

// With a token it is the job in hand that speaks, without one a job that was looked up.
const ofJob = (names, method) => async (client, label, args, operation) => {
  const { jid, token, ...others } = args;
  const takes = Object.keys(others).every((name) => names.includes(name));
  const has = () => (token === undefined ? found((jid) => client.job(jid), jid) : held.get(key(label, args)));
  const job = takes && (await has());
  return job ? method(job, others) : call(client, operation, args);
};

// What only its holder may say of a job.
const ofHeld = (names, method) => async (client, label, args, operation) =>
  args.token === undefined || names.some((name) => args[name] === undefined)
    ? call(client, operation, args)
    : ofJob([...names, "note"], method)(client, label, args, operation);

const ofTemplate = (names, method) => async (client, _, args, operation) => {
  const { jid, ...others } = args;
  const takes = Object.keys(others).every((name) => names.includes(name));
  const template = takes && (await found((jid) => client.recurring(jid), jid));
  return template ? method(template, others) : call(client, operation, args);
};

const tagging =
  (verb) =>
  (one, { tags }) =>
    one[verb](...(Array.isArray(tags) ? tags : [tags]));

const ofQueue = (verb) => async (client, _, args) => {
  const { queues, ...others } = args;
  const alone = Array.isArray(queues) && queues.length === 1 && Object.keys(others).length === 0;
  return alone ? Number(await client.queue(queues[0])[verb]()) : call(client, `queue_${verb}`, args);
};

const ofThrottle = (names, method) => async (client, _, args, operation) => {
  const { id, queue, ...others } = args;
  const takes = (id === undefined || queue === undefined) && Object.keys(others).every((name) => names.includes(name));
  const throttle = () => (queue === undefined ? client.throttle(id) : client.queue(queue).throttle);
  return takes ? method(throttle(), renamed(others, OPTIONS)) : call(client, operation, args);
};

const throttled = ({ expires, ...others }) => ({ ...others, expires_ms: expires });

async function listed(page, name, entry) {
  const { total, items } = await page;
  return { total, [name]: items.map(entry) };
}

async function list(client, _, args) {
  const { state, queue, ...page } = args;
  if (state === "completed") {
    return queue === undefined ? client.completed(page) : call(client, "job_list", args);
  }
  return client.queue(queue).jobs(state, page);
}

async function putRecurring(client, { queue, kind, data = null, interval_ms, ...options }) {
  await client.queue(queue).putRecurring(kind, payload(data), interval_ms, typed(options));
}

async function cancelRecurring(client, _, args) {
  const template = args.jids?.length === 1 ? await found((jid) => client.recurring(jid), args.jids[0]) : null;
  return template ? Number(await template.cancel()) : call(client, "recurring_cancel", args);
}

async function check(client, options) {
  const violations = [];
  for await (const { repaired, ...violation } of client.check(options)) {
    violations.push({ ...violation, repaired: Number(repaired) });
  }
  return { cursor: "", violations };
}

async function sweep(client, _, options) {
  const { nextDue, ...others } = await client.sweep(options);
  return { ...others, next_due_ms: nextDue };
}

// A Job measures its run itself, and ends once: what tells run_ms or a spent token goes through the door.
const end = (verb, given) => async (client, label, args) => {
  const [item] = args.jobs;
  const job = args.jobs.length === 1 && item.run_ms === undefined && held.get(key(label, item));
  if (!job) {
    return call(client, `job_${verb}`, args);
  }
  held.delete(key(label, item));
  const { jid, token: _, ...fields } = item;
  return [{ jid, outcome: await job[verb](...given(renamed(fields, OPTIONS))) }];
};

async function heartbeat(client, label, args) {
  const job = args.jobs.length === 1 && held.get(key(label, args.jobs[0]));
  return job ? [{ jid: job.jid, lease_ms: await job.heartbeat() }] : call(client, "job_heartbeat", args);
}

const PLACE = ["queue", "data", "delay_ms", "dependencies", "missing", ...SHARED];

const METHODS = {
  check: known(["repair"], check),
  config_all: known([], (client) => client.config.all()),
  config_get: (client, _, { name, ...options }) => client.config.get(name, options),
  config_set: done((client, _, { name, value, ...options }) => client.config.set(name, value, options)),
  config_unset: done((client, _, { name, ...options }) => client.config.unset(name, options)),
  failure_groups: (client, _, page) => listed(client.failures(page), "groups", ({ group, count }) => [group, count]),
  failure_jobs: (client, _, { group, ...page }) => client.failed(group, page),
  failure_unfail: (client, _, { group, ...options }) => client.unfail(group, options),
  job_cancel: known(["jids"], (client, { jids }) => client.cancel(jids)),
  job_complete: end("complete", ({ result, data, ...options }) => [
    payload(result),
    { ...options, data: payload(data) },
  ]),
  job_depend: ofJob(["on", "missing"], (job, { on, ...options }) => job.depend(on, options)),
  job_explain: known(["jid"], async (client, { jid }) => explained(await client.explain(jid))),
  job_fail: end("fail", ({ group, message, trace }) => [group, message, trace]),
  job_get: async (client, _, { jid }) => viewed(await client.job(jid)),
  job_get_many: known(["jids"], async (client, { jids }) => ({
    jobs: (await client.jobs(jids)).map(viewed),
    rest: [],
  })),
  job_heartbeat: heartbeat,
  job_list: list,
  job_log: ofJob(
    ["message", "data"],
    done((job, { message, data }) => job.log(message, payload(data))),
  ),
  job_prioritize: ofJob(
    ["priority"],
    done((job, { priority }) => job.prioritize(priority)),
  ),
  job_progress: ofHeld(
    ["progress"],
    done((job, { progress, note }) => job.progress(progress, note)),
  ),
  job_release: end("release", () => []),
  job_requeue: ofJob(PLACE, (job, { data, ...options }) => job.requeue({ ...typed(options), data: payload(data) })),
  job_retry: end("retry", ({ delay, ...options }) => [delay, options]),
  job_save: ofHeld(["data"], (job, { data }) => job.heartbeat({ data: payload(data) })),
  job_snooze: end("snooze", ({ delay }) => [delay]),
  job_tag: ofJob(["tags"], tagging("tag")),
  job_timeout: ofJob([], (job) => job.timeout()),
  job_track: known(["jids"], (client, { jids }) => client.track(jids)),
  job_tracked: (client, _, page) => client.tracked(page),
  job_undepend: async (client, label, args, operation) =>
    (args.all === undefined ? Array.isArray(args.on) : args.all === true && args.on === undefined)
      ? ofJob(["on", "all"], (job, { on = "all" }) => job.undepend(on))(client, label, args, operation)
      : call(client, operation, args),
  job_untag: ofJob(["tags"], tagging("untag")),
  job_untrack: known(["jids"], (client, { jids }) => client.untrack(jids)),
  pattern_get: known([], (client) => client.patterns.get()),
  pattern_set: done((client, _, lists) => client.patterns.set(lists)),
  queue_counts: (client, _, { queue }) => client.queue(queue).counts(),
  queue_forget: ofQueue("forget"),
  queue_length: known(["queue"], (client, { queue }) => client.queue(queue).length()),
  queue_list: (client, _, page) =>
    listed(client.queues(page), "queues", ({ name, ...others }) => ({ queue: name, ...others })),
  queue_pause: ofQueue("pause"),
  queue_peek: async (client, _, { queue, ...page }) => ({
    jobs: (await client.queue(queue).peek(page)).map(viewed),
    rest: [],
  }),
  queue_put: put,
  queue_reserve: reserve,
  queue_stats: stats,
  queue_unpause: ofQueue("unpause"),
  recurring_cancel: cancelRecurring,
  recurring_get: known(["jid"], async (client, { jid }) => template(await client.recurring(jid))),
  recurring_list: (client, _, { queue, ...page }) => listed(client.queue(queue).recurring(page), "jobs", template),
  recurring_pause: ofTemplate([], async (one) => Number(await one.pause())),
  recurring_put: async (client, _, args) =>
    args.jid === undefined ? call(client, "recurring_put", args) : done(putRecurring)(client, args),
  recurring_resume: ofTemplate([], async (one) => Number(await one.resume())),
  recurring_tag: ofTemplate(["tags"], tagging("tag")),
  recurring_untag: ofTemplate(["tags"], tagging("untag")),
  recurring_update: ofTemplate(
    ["interval_ms", "queue", "kind", "data", "backlog", ...SHARED],
    done((one, options) => one.update({ ...typed(options), data: payload(options.data) })),
  ),
  sweep,
  tag_jobs: (client, _, { tag, ...page }) => client.tagged(tag, page),
  tag_list: (client, _, page) => listed(client.tags(page), "tags", ({ tag, count }) => [tag, count]),
  throttle_delete: ofThrottle([], async (throttle) => Number(await throttle.delete())),
  throttle_get: ofThrottle([], async (throttle) => throttled(await throttle.counts())),
  throttle_holders: ofThrottle(PAGE, (throttle, page) => throttle.holders(page)),
  throttle_list: (client, _, page) => listed(client.throttles(page), "throttles", throttled),
  throttle_pending: ofThrottle(PAGE, (throttle, page) => throttle.pending(page)),
  throttle_release: ofThrottle(["jid"], async (throttle, { jid }) => Number(await throttle.release(jid))),
  throttle_set: ofThrottle(
    ["limit", "expires_ms"],
    done((throttle, { limit, ...options }) => throttle.set(limit, options)),
  ),
  worker_deregister: known(["workers"], (client, { workers }) => client.deregister(workers)),
  worker_jobs: (client, _, { worker, ...page }) => client.workerJobs(worker, page),
  worker_order: known(["worker", "order"], (client, { worker, order }) => client.order(worker, order)),
  worker_list: (client, _, page) =>
    listed(client.workers(page), "workers", ({ name, silent, ...others }) => ({
      worker: name,
      silent_ms: silent,
      ...others,
    })),
  close: (client) => client.close(),
};

// What has no method on purpose: the worker runtime's own calls, the engine's version, and what is no operation at all.
const WITHOUT_METHOD = ["engine_version", "queue_dance", "queue_ready", "worker_lost", "worker_pulse", "worker_turn"];

async function perform(label, client, operation, args) {
  const method = METHODS[operation];
  if (method) {
    return method(client, label, args, operation);
  }
  if (!WITHOUT_METHOD.includes(operation)) {
    throw new Error(`no method of the package does ${operation}`);
  }
  return call(client, operation, args);
}

async function answer(label, options, operation, args) {
  try {
    if (!clients.has(label)) {
      const { url, ...others } = JSON.parse(options);
      clients.set(label, new Client(url, renamed(others, OPTIONS)));
    }
    return { reply: (await perform(label, clients.get(label), operation, parsed(args))) ?? null };
  } catch (error) {
    const { name, message, code, operation, jid, reason, retryable } = error;
    const ours = error instanceof ManyhandsError;
    return { error: ours ? { name, message, code, operation, jid, reason, retryable } : { name, message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${written(await answer(...line.split("\t")))}\n`);
}

import { Backoff, type BackoffJson, type JobBackoff } from "./backoff.js";
import type { JobFailure } from "./failure.js";
import { Held } from "./held.js";
import type { HistoryEntry, JobProgress } from "./history.js";
import { camelCase, jsonObject, type RawJson, toJson } from "./json.js";
import type { NativeJob, NativeSaid, NativeView } from "./native.js";
import { text } from "./options.js";
import { checkPuts, jobOptions } from "./put.js";
import type { Holder } from "./run.js";

/** A stored state of a job. */
export type JobState = "waiting" | "scheduled" | "blocked" | "throttled" | "running" | "failed" | "completed";

/** The state that an outcome brought the job to. */
export type JobOutcome = "completed" | "waiting" | "scheduled" | "blocked" | "failed";

/** Options of {@link Job.build}. */
export interface BuildOptions {
  /** Default `built`. */
  jid?: string;
  /** Default `built`. */
  queue?: string;
  /** Default 0. */
  priority?: number;
  /** Default 5. */
  retries?: number;
  /** Default none. */
  tags?: readonly string[];
  /** Default none. */
  route?: readonly string[];
  /** Default none. */
  throttles?: readonly string[];
  /** Default none. */
  headers?: Readonly<Record<string, string>>;
  /** Milliseconds. {@link Job.runTimeout}. Default none. */
  timeout?: number;
  /** Default none. */
  backoff?: JobBackoff;
}

const BUILD_OPTIONS = {
  jid: "jid",
  queue: "queue",
  priority: "priority",
  retries: "retries",
  tags: "tags",
  route: "route",
  throttles: "throttles",
  headers: "headers",
  timeout: "timeout_ms",
  backoff: "backoff_ms",
};

/** What a put says of runs, under the names of the core. */
interface CarriedLimits {
  timeout_ms?: number;
  backoff_ms?: BackoffJson;
}

/** What is the same for every job that begins its run, or is not read with it. */
const UNREAD = {
  state: "running",
  stalled: false,
  dependencies: [],
  dependents: [],
  dueAt: null,
  leaseUntil: null,
  progressed: null,
  failure: null,
  history: [],
} as const;

/** What most jobs have, whose put said nothing. */
const UNSAID: NativeSaid = Object.freeze({
  priority: 0,
  retries: 5,
  remaining: 5,
  tags: Object.freeze([]),
  route: Object.freeze([]),
  throttles: Object.freeze([]),
  headers: Object.freeze({}),
  tracked: false,
});

/** The fields of a job, as a reservation or a look-up gives them. */
type JobFields = Pick<
  Job,
  | "jid"
  | "kind"
  | "queue"
  | "state"
  | "stalled"
  | "priority"
  | "retries"
  | "remaining"
  | "token"
  | "worker"
  | "tags"
  | "route"
  | "throttles"
  | "headers"
  | "runTimeout"
  | "backoff"
  | "dependencies"
  | "dependents"
  | "tracked"
  | "parent"
  | "putAt"
  | "dueAt"
  | "leaseUntil"
  | "progressed"
  | "failure"
  | "history"
>;

/** The same as the native half gives them: what a log entry holds is text. */
interface ViewFields extends Omit<JobFields, "progressed" | "runTimeout" | "backoff"> {
  readonly progress: JobProgress | null;
  readonly timeout: number | null;
  readonly backoff: BackoffJson | null;
}

/**
 * One job: what a worker's handler is given, what {@link Queue.reserve} and {@link Worker.next} take, what {@link Client.job}
 * looks up and {@link Job.build} makes.
 *
 * Some methods speak for the holder of the lease: complete, fail, retry, snooze, release, heartbeat and progress are refused
 * with LockLost when the job's token no longer holds, and with WrongState when the run has ended. In a handler there is no need
 * to end the job by them: what it returns completes the job, what it throws fails or retries it; a call in a handler takes the
 * place of both.
 *
 * The others anybody may call: they speak of the job of this jid, whoever has it.
 *
 * All instants and spans are milliseconds. The fields are those of the moment when the job was read; they do not change.
 *
 * @typeParam Data what the caller knows `data` to be; it is not checked.
 */
export class Job<Data = unknown> extends Held<Data> {
  /** Names the handler. */
  readonly kind: string;
  /** The queue it is in. */
  readonly queue: string;
  readonly state: JobState;
  /** True when it is running and its lease has run out, but nobody else has it yet. */
  readonly stalled: boolean;
  /** -128 to 127; larger is reserved first. */
  readonly priority: number;
  /** How often it may run again after it was lost or asked to. */
  readonly retries: number;
  /** How many of these are left. */
  readonly remaining: number;
  readonly token: string | null;
  /** The worker that holds it, or null. */
  readonly worker: string | null;
  readonly tags: readonly string[];
  /** The queues that it goes through after this one. */
  readonly route: readonly string[];
  /** The throttles that limit it, but that of its queue. */
  readonly throttles: readonly string[];
  /** The texts that go with it through all stages. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds. How long a run may take as its put says, `timeout`; null: as its kind or the worker says. */
  readonly runTimeout: number | null;
  /** How long it waits after an error that no {@link retryRules} name, as its put says; null: as its kind says. */
  readonly backoff: Backoff | null;
  /** The jids of the jobs that it still waits for; empty on a reserved job. */
  readonly dependencies: readonly string[];
  /** The jids of the jobs that wait for it, the first 256; empty on a reserved job, with which they are not read. */
  readonly dependents: readonly string[];
  /** Whether events tell what happens to it. */
  readonly tracked: boolean;
  /** The recurring job that put it, or null. */
  readonly parent: string | null;
  /** Milliseconds. When it was put, by Redis's clock, UTC epoch. */
  readonly putAt: number;
  /** Milliseconds. When it may run, by Redis's clock; null unless it is scheduled. */
  readonly dueAt: number | null;
  /** Milliseconds. When its lease ends, by Redis's clock; null unless it was looked up and is running. */
  readonly leaseUntil: number | null;
  /** How far it is; null when its handler did not say, and on a reserved job, with which it is not read. */
  readonly progressed: JobProgress | null;
  /** Why it failed or had to run again last; null when it never did, and on a reserved job, with which it is not read. */
  readonly failure: JobFailure | null;
  /** What happened to it, oldest first, at most 100 entries; empty on a reserved job, which is not read with it. */
  readonly history: readonly HistoryEntry[];
  /** The JSON text of the result; null when there is none. */
  readonly rawResult: string | null;

  /** @internal Made by {@link Job.reserved}, {@link Job.viewed} and {@link Job.build}. */
  constructor(fields: JobFields, rawData: string, rawResult: string | null, holder: Holder | null, reserved = false) {
    super(fields.jid, rawData, holder, reserved);
    this.kind = fields.kind;
    this.queue = fields.queue;
    this.state = fields.state;
    this.stalled = fields.stalled;
    this.priority = fields.priority;
    this.retries = fields.retries;
    this.remaining = fields.remaining;
    this.token = fields.token;
    this.worker = fields.worker;
    this.tags = fields.tags;
    this.route = fields.route;
    this.throttles = fields.throttles;
    this.headers = fields.headers;
    this.runTimeout = fields.runTimeout;
    this.backoff = fields.backoff;
    this.dependencies = fields.dependencies;
    this.dependents = fields.dependents;
    this.tracked = fields.tracked;
    this.parent = fields.parent;
    this.putAt = fields.putAt;
    this.dueAt = fields.dueAt;
    this.leaseUntil = fields.leaseUntil;
    this.progressed = fields.progressed;
    this.failure = fields.failure;
    this.history = fields.history;
    this.rawResult = rawResult;
  }

  /**
   * Make a job without a server, to test a handler with. Nobody holds it, so it cannot be completed.
   *
   * @param kind names the handler.
   * @param data any JSON value or a RawJson. Default null.
   * @throws InvalidArgument for what a put would refuse: data that JSON cannot hold, an unknown option or one out of its range.
   */
  static build<Data = unknown>(
    kind: string,
    data: Data | RawJson | null = null,
    options: BuildOptions = {},
  ): Job<Data> {
    const own = jobOptions(options, BUILD_OPTIONS, null) as BuildOptions & CarriedLimits;
    const rawData = toJson(data, "data");
    const { jid = "built", queue = "built", priority = 0, retries = 5, tags = [], route = [], throttles = [] } = own;
    const headers = own.headers ?? {};
    const named = { jid: text(jid, "jid"), kind: text(kind, "kind"), queue: text(queue, "queue") };
    checkPuts(`[${jsonObject({ ...own, ...named }, { data: rawData })}]`, BUILD_OPTIONS, null);
    const limits = { priority, retries, remaining: retries, tags, route, throttles, tracked: false, parent: null };
    const { timeout_ms: runTimeout = null, backoff_ms = null } = own;
    const ownLimits = { runTimeout, backoff: Backoff.read(backoff_ms) };
    const fields = { ...named, ...limits, ...ownLimits, headers, ...UNREAD, token: null, worker: null, putAt: 0 };
    return new Job<Data>(fields, rawData, null, null);
  }

  /** What the handler returned, parsed at each look; null when there is none. */
  get result(): unknown {
    return this.rawResult === null ? null : JSON.parse(this.rawResult);
  }

  /** @internal A job under a lease that was just taken. */
  static reserved([jid, kind, queue, data, token, putAt, worker, own]: NativeJob, holder: Holder): Job {
    const said = own ?? UNSAID;
    const fields: JobFields = {
      jid,
      kind,
      queue,
      priority: said.priority,
      retries: said.retries,
      remaining: said.remaining,
      token,
      worker,
      tags: said.tags,
      route: said.route,
      throttles: said.throttles,
      headers: said.headers,
      runTimeout: said.timeoutMs ?? null,
      backoff: said.backoff === undefined ? null : Backoff.read(JSON.parse(said.backoff)),
      tracked: said.tracked,
      parent: said.parent ?? null,
      putAt,
      // One by one: spread, they cost as much as all others together.
      state: UNREAD.state,
      stalled: UNREAD.stalled,
      dependencies: UNREAD.dependencies,
      dependents: UNREAD.dependents,
      dueAt: UNREAD.dueAt,
      leaseUntil: UNREAD.leaseUntil,
      progressed: UNREAD.progressed,
      failure: UNREAD.failure,
      history: UNREAD.history,
    };
    return new Job(fields, data, null, holder, true);
  }

  /** @internal A job that was looked up. */
  static viewed(view: NativeView, holder: Holder): Job {
    const { progress, history, timeout, backoff, ...others } = camelCase(JSON.parse(view.rest)) as ViewFields;
    const events = history.map((event) =>
      event.rawData === undefined ? event : { ...event, data: JSON.parse(event.rawData) },
    );
    const own = { runTimeout: timeout, backoff: Backoff.read(backoff), progressed: progress, history: events };
    return new Job({ ...others, ...own }, view.data, view.result ?? null, holder);
  }
}

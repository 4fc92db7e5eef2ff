import type { Door } from "./door.js";
import type { Ending } from "./ending.js";
import { InvalidArgument, wrongState } from "./errors.js";
import type { JobFailure } from "./failure.js";
import type { HistoryEntry, JobProgress } from "./history.js";
import { camelCase, jsonObject, type RawJson, toJson } from "./json.js";
import { Managed } from "./managed.js";
import type { NativeJob, NativeView } from "./native.js";
import { coreOptions, milliseconds, optionsObject, plain, text } from "./options.js";

/** A stored state of a job. */
export type JobState = "waiting" | "scheduled" | "blocked" | "throttled" | "running" | "failed" | "completed";

/** The state that an outcome brought the job to. */
export type JobOutcome = "completed" | "waiting" | "scheduled" | "blocked" | "failed";

/** Options of {@link Job.complete}. */
export interface CompleteOptions {
  /** The queue that the job goes to next, with its retries renewed. Default: the next of its route, else it is completed. */
  queue?: string;
  /** New data for the next queue, any JSON value or a RawJson. Default: the data last assigned to the job, else unchanged. */
  data?: unknown;
  /**
   * Milliseconds. Before the next queue may run it, 0 or more. Default 0. Where there is no next queue, the job is completed
   * at once: there is nothing to wait for, and what was done is not refused.
   */
  delay?: number;
  /**
   * The jids of the jobs that must be completed before the next queue may run it, at most 256; those that are unknown or
   * completed are not waited for. Default none.
   */
  dependencies?: readonly string[];
}

/** Options of {@link Job.heartbeat}. */
export interface HeartbeatOptions {
  /** New data of the job, any JSON value or a RawJson: kept at once, so that another run of it would begin there. */
  data?: unknown;
}

/** Options of {@link Job.retry}. */
export interface RetryOptions {
  /** Where it fails when no retry is left, 1 to 255 bytes. Default: `failed-retries-<queue>`. */
  group?: string;
  /** Text for people, kept as the job's `failure`; cut at 16 KiB. Default: none. */
  message?: string;
  /** A stack, cut at 16 KiB. Default: none. */
  trace?: string;
}

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
}

const BUILD_OPTIONS = {
  jid: "jid",
  queue: "queue",
  priority: "priority",
  retries: "retries",
  tags: "tags",
  route: "route",
  throttles: "throttles",
};

const RETRY_OPTIONS = { group: "group", message: "message", trace: "trace" };

const COMPLETE_OPTIONS = { queue: "queue", data: "data", delay: "delay_ms", dependencies: "dependencies" };

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

const HEARTBEAT_OPTIONS = { data: "data" };

/** Who carries the word of a job's holder to the engine: the client that reserved it, or the worker that performs it. */
export interface Holder {
  /** The way of all that needs no holder. */
  readonly door: Door;
  /** Resolves to the job's new state. */
  finish(job: Job, ending: Ending): Promise<JobOutcome>;
  /** Resolves to the milliseconds that the lease now lasts. */
  heartbeat(job: Job): Promise<number>;
  /** Forgets a job whose lease another operation has ended. */
  drop(job: Job): void;
}

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
type ViewFields = Omit<JobFields, "progressed"> & { progress: JobProgress | null };

/**
 * One job: what a worker's handler is given, what {@link Queue.reserve} and {@link Worker.next} take, what {@link Client.job}
 * looks up and {@link Job.build} makes.
 *
 * Some methods speak for the holder of the lease: complete, fail, retry, snooze, release, heartbeat and progress are refused
 * with LockLost when the job's token no longer holds, and with WrongState when the run has ended. In a handler there is no need to end the job by them: what it returns
 * completes the job, what it throws fails or retries it; a call in a handler takes the place of both.
 *
 * The others anybody may call: they speak of the job of this jid, whoever has it.
 *
 * All instants and spans are milliseconds. The fields are those of the moment when the job was read; they do not change.
 *
 * @typeParam Data what the caller knows `data` to be; it is not checked.
 */
export class Job<Data = unknown> extends Managed {
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
  /** Proves the lease; text, as it is larger than JavaScript's whole numbers. Null when the job is not running. */
  readonly token: string | null;
  /** The worker that holds it, or null. */
  readonly worker: string | null;
  readonly tags: readonly string[];
  /** The queues that it goes through after this one. */
  readonly route: readonly string[];
  /** The throttles that limit it, but that of its queue. */
  readonly throttles: readonly string[];
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

  #holder: Holder | null;
  #rawData: string;
  #data: Data | undefined;
  #parsed = false;
  #assigned = false;
  #abort: AbortController | undefined;
  /** Whether a method has ended it, or is about to. */
  #ended = false;
  /** What became of it when its run ended here; null before. */
  #outcome: string | null = null;
  /** Whether its own holder is about to end the lease by another operation: that is no loss. */
  #leaving = false;
  #lostReason: string | null = null;
  #since = performance.now();
  #reserved = false;

  /** @internal Made by {@link Job.reserved}, {@link Job.viewed} and {@link Job.build}. */
  constructor(fields: JobFields, rawData: string, rawResult: string | null, holder: Holder | null) {
    super(fields.jid, holder?.door ?? null);
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
    this.#rawData = rawData;
    this.#holder = holder;
  }

  /**
   * Make a job without a server, to test a handler with. Nobody holds it, so it cannot be completed.
   *
   * @param kind names the handler.
   * @param data any JSON value or a RawJson. Default null.
   * @throws InvalidArgument for data that JSON cannot hold and an unknown option.
   */
  static build<Data = unknown>(
    kind: string,
    data: Data | RawJson | null = null,
    options: BuildOptions = {},
  ): Job<Data> {
    const own = coreOptions(options, BUILD_OPTIONS, null) as BuildOptions;
    const { jid = "built", queue = "built", priority = 0, retries = 5, tags = [], route = [], throttles = [] } = own;
    const named = { jid: text(jid, "jid"), kind: text(kind, "kind"), queue: text(queue, "queue") };
    const limits = { priority, retries, remaining: retries, tags, route, throttles, tracked: false, parent: null };
    const fields = { ...named, ...limits, ...UNREAD, token: null, worker: null, putAt: 0 };
    return new Job<Data>(fields, toJson(data, "data"), null, null);
  }

  /**
   * The payload, parsed at the first look.
   *
   * Whole numbers beyond 2^53 lose digits in JavaScript; {@link rawData} has them all.
   *
   * Assigning new data sends it with the completion, to the job's next queue. Changing the object in place does not.
   *
   * @throws InvalidArgument when assigned what JSON cannot hold.
   */
  get data(): Data {
    if (!this.#parsed) {
      this.#data = JSON.parse(this.#rawData) as Data;
      this.#parsed = true;
    }
    return this.#data as Data;
  }

  set data(data: Data) {
    this.#setData(toJson(data, "data", "job_complete"));
    this.#assigned = true;
  }

  #setData(json: string): void {
    this.#rawData = json;
    this.#data = undefined;
    this.#parsed = false;
  }

  /** The payload's JSON text, byte for byte as it was put. */
  get rawData(): string {
    return this.#rawData;
  }

  /** What the handler returned, parsed at each look; null when there is none. */
  get result(): unknown {
    return this.rawResult === null ? null : JSON.parse(this.rawResult);
  }

  /**
   * Aborted when the worker learns that the lease is lost or the job was cancelled: the handler may then stop, as nothing
   * it does for this job can be stored any more. The signal's `reason` says why.
   */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#lostReason !== null && !this.#abort.signal.aborted) {
      this.#abort.abort(this.#lostReason);
    }
    return this.#abort.signal;
  }

  /**
   * The job is done; or done in this queue, and goes on to the next.
   *
   * @param result any JSON value or a RawJson, stored as `result`. Default: none.
   * @returns `completed`, or `waiting`, `scheduled` or `blocked` in its next queue.
   * @throws InvalidArgument for what JSON cannot hold and for an unknown option; LockLost when the token holds no more; Cycle
   *   and TooDeep for its dependencies; WrongState for a job that nobody holds or that was ended already. When the engine
   *   refuses what a worker's job asks for (a result too long, a cycle), the worker runs the job again for that error.
   *
   * Source: core/src/engine/ops/job_complete.lua
   */
  async complete(result?: unknown, options: CompleteOptions = {}): Promise<JobOutcome> {
    return this.#finish(this.#completion(result, options));
  }

  /**
   * Give the job up now, whatever retries are left; it is kept in its failure group.
   *
   * @param group failures that share a cause, 1 to 255 bytes.
   * @param message text for people, cut at 16 KiB. Default empty.
   * @param trace a stack, cut at 16 KiB. Default empty.
   * @returns `failed`.
   * @throws InvalidArgument for a bad group; LockLost when the token holds no more.
   *
   * Source: core/src/engine/ops/job_fail.lua
   */
  async fail(group: string, message = "", trace = ""): Promise<JobOutcome> {
    const operation = "job_fail";
    const fields = {
      group: text(group, "group", operation),
      message: text(message, "message", operation),
      trace: text(trace, "trace", operation),
    };
    return this.#finish({ verb: "fail", fields, raw: {} });
  }

  /**
   * Run the job again, spending one of its retries; without retries left it fails.
   *
   * @param delay Milliseconds. 0 or more. Default 0.
   * @returns `waiting`, `scheduled` or `failed`.
   * @throws InvalidArgument for a bad delay and an unknown option; LockLost when the token holds no more.
   *
   * Source: core/src/engine/ops/job_retry.lua
   */
  async retry(delay = 0, options: RetryOptions = {}): Promise<JobOutcome> {
    const operation = "job_retry";
    const said = coreOptions(options, RETRY_OPTIONS, operation);
    const fields = { delay_ms: milliseconds(delay, "delay", operation), ...said };
    return this.#finish({ verb: "retry", fields, raw: {} });
  }

  /**
   * Run the job again later, spending no retry.
   *
   * @param delay Milliseconds. 0 or more.
   * @returns `waiting` or `scheduled`.
   * @throws InvalidArgument for a bad delay; LockLost when the token holds no more.
   *
   * Source: core/src/engine/ops/job_snooze.lua
   */
  async snooze(delay: number): Promise<JobOutcome> {
    const fields = { delay_ms: milliseconds(delay, "delay", "job_snooze") };
    return this.#finish({ verb: "snooze", fields, raw: {} });
  }

  /**
   * Give the job back at its old place, spending no retry.
   *
   * @returns `waiting`.
   * @throws LockLost when the token holds no more.
   *
   * Source: core/src/engine/ops/job_release.lua
   */
  async release(): Promise<JobOutcome> {
    return this.#finish({ verb: "release", fields: {}, raw: {} });
  }

  /**
   * Renew the lease. A Worker does this by itself for the jobs that it performs; there it serves to keep new data.
   *
   * @returns Milliseconds. How long the lease now lasts.
   * @throws LockLost when the token holds no more; InvalidArgument for data that JSON cannot hold and an unknown option.
   *
   * Source: core/src/engine/ops/job_heartbeat.lua, core/src/engine/ops/job_save.lua
   */
  async heartbeat(options: HeartbeatOptions = {}): Promise<number> {
    const operation = "job_heartbeat";
    const { data, ...others } = optionsObject(options, operation);
    coreOptions(others, HEARTBEAT_OPTIONS, operation);
    return data === undefined ? this.#held(operation).heartbeat(this as Job) : this.#save(data);
  }

  async #save(value: unknown): Promise<number> {
    const operation = "job_save";
    const data = toJson(value, "data", operation);
    const lease = jsonObject(Job.lease(this as Job, operation), { data });
    const left = JSON.parse(await this.door(operation).call(operation, lease)) as number;
    this.#setData(data);
    this.#assigned = false;
    return left;
  }

  /**
   * Say how far the job is: it is then seen as {@link progressed} by those who look it up.
   *
   * @param progress 0 to 1.
   * @param note text for people, at most 1,024 bytes. Default empty.
   * @throws InvalidArgument for another number and a bad note; LockLost when the token holds no more.
   *
   * Source: core/src/engine/ops/job_progress.lua
   */
  async progress(progress: number, note = ""): Promise<void> {
    const operation = "job_progress";
    const fields = { progress: plain(progress, "progress", operation), note: text(note, "note", operation) };
    await this.door(operation).ask(operation, { ...Job.lease(this as Job, operation), ...fields });
  }

  /**
   * Add an entry to the job's history. With a job in hand it is an entry of this run; after its end, one by anybody.
   *
   * @param message text for people, 1 to 1,024 bytes.
   * @param data any JSON value or a RawJson that belongs to it; with the message at most 1,024 bytes. Default none.
   * @throws InvalidArgument for a bad message or data; JobNotFound; LockLost when the job is in hand and its token holds no
   *   more.
   *
   * Source: core/src/engine/ops/job_log.lua
   */
  async log(message: string, data?: unknown): Promise<void> {
    const operation = "job_log";
    const whose = this.#reserved && this.#outcome === null ? Job.lease(this as Job, operation) : { jid: this.jid };
    const fields = { ...whose, message: text(message, "message", operation) };
    const raw = { data: data === undefined ? undefined : toJson(data, "data", operation) };
    await this.door(operation).call(operation, jsonObject(fields, raw));
  }

  #completion(result: unknown, options: CompleteOptions): Ending {
    const operation = "job_complete";
    const { data, ...others } = optionsObject(options, operation);
    return {
      verb: "complete",
      fields: coreOptions(others, COMPLETE_OPTIONS, operation),
      raw: {
        result: result === undefined ? undefined : toJson(result, "result", operation),
        data: data !== undefined ? toJson(data, "data", operation) : this.#assigned ? this.#rawData : undefined,
      },
    };
  }

  async #finish(ending: Ending): Promise<JobOutcome> {
    const holder = this.#held(`job_${ending.verb}`);
    this.#ended = true;
    try {
      this.#outcome = await holder.finish(this as Job, ending);
      return this.#outcome as JobOutcome;
    } catch (error) {
      // A refused argument ended nothing: the handler may still end the job another way.
      this.#ended = !(error instanceof InvalidArgument);
      throw error;
    }
  }

  #held(operation: string): Holder {
    Job.lease(this as Job, operation);
    return this.#holder as Holder;
  }

  /** @internal */
  protected override async ending<T>(how: string, act: () => Promise<T>): Promise<T> {
    this.#leaving = true;
    try {
      const answer = await act();
      if (this.token !== null && this.#outcome === null) {
        this.#ended = true;
        this.#outcome = how;
        this.#holder?.drop(this as Job);
      }
      return answer;
    } finally {
      this.#leaving = false;
    }
  }

  /** @internal What names a job and proves that it is in hand. */
  static lease(job: Job, operation: string): { jid: string; token: string } {
    if (job.token === null || job.#outcome !== null) {
      const what = `job ${job.jid} is ${job.#outcome ?? job.state} and not in this program's hands`;
      throw wrongState(what, operation, job.jid);
    }
    return { jid: job.jid, token: job.token };
  }

  /** @internal Its run is over, whatever becomes of it. */
  static letGo(job: Job): void {
    job.#outcome ??= "finished";
  }

  /** @internal True when a method above has ended it: the handler's return value then counts no more. */
  static ended(job: Job): boolean {
    return job.#ended;
  }

  /** @internal True when the lease is known to be lost. */
  static isLost(job: Job): boolean {
    return job.#lostReason !== null;
  }

  /** @internal The completion with what the handler returned. */
  static returned(job: Job, result: unknown): Ending {
    return job.#completion(result, {});
  }

  /** @internal Milliseconds. How long ago it was reserved, by the monotonic clock. */
  static run(job: Job): number {
    return Math.round(performance.now() - job.#since);
  }

  /** @internal The lease is known to be lost: aborts the signal. False when that was known before, or is its own doing. */
  static lose(job: Job, reason: string): boolean {
    if (job.#lostReason !== null || job.#leaving) {
      return false;
    }
    job.#lostReason = reason;
    job.#abort?.abort(reason);
    return true;
  }

  /** @internal A job under a lease that was just taken. */
  static reserved(job: NativeJob, holder: Holder): Job {
    const fields: JobFields = {
      jid: job.jid,
      kind: job.kind,
      queue: job.queue,
      priority: job.priority,
      retries: job.retries,
      remaining: job.remaining,
      token: job.token,
      worker: job.worker,
      tags: job.tags,
      route: job.route,
      throttles: job.throttles,
      tracked: job.tracked,
      parent: job.parent ?? null,
      putAt: job.putAtMs,
      ...UNREAD,
    };
    const reserved = new Job(fields, job.data, null, holder);
    reserved.#reserved = true;
    return reserved;
  }

  /** @internal A job that was looked up. */
  static viewed(view: NativeView, holder: Holder): Job {
    const { progress, history, ...others } = camelCase(JSON.parse(view.rest)) as ViewFields;
    const events = history.map((event) =>
      event.rawData === undefined ? event : { ...event, data: JSON.parse(event.rawData) },
    );
    return new Job({ ...others, progressed: progress, history: events }, view.data, view.result ?? null, holder);
  }
}

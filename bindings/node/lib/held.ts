import type { Door } from "./door.js";
import type { Ending } from "./ending.js";
import { InvalidArgument, wrongState } from "./errors.js";
import {
  COMPLETE_OPTIONS,
  type CompleteOptions,
  HEARTBEAT_OPTIONS,
  type HeartbeatOptions,
  RETRY_OPTIONS,
  type RetryOptions,
} from "./held-options.js";
import { JobInterrupted } from "./interrupted.js";
import type { Job, JobOutcome, JobState } from "./job.js";
import { jsonObject, toJson } from "./json.js";
import { Managed } from "./managed.js";
import { coreOptions, milliseconds, optionsObject, plain, text } from "./options.js";
import { Fail } from "./outcome.js";

/** {@link Job.locals}: by name, whatever the program puts there. */
// biome-ignore lint/suspicious/noExplicitAny: what is there only the program knows
export type JobLocals = Record<string, any>;

/** How a run ended: what the handler's end says, or what the handler itself did with its job. */
export type RunEnd = Ending["verb"] | "cancelled" | "requeued" | "timed out";

/** What becomes of a job after this error. */
export interface ErrorRule {
  readonly error: unknown;
  readonly verb: "fail" | "retry";
  readonly fields: Readonly<Record<string, unknown>>;
}

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

/** What the holder of a {@link Job} may do with it and must hear of it, while its run lasts. */
export abstract class Held<Data = unknown> extends Managed {
  abstract readonly state: JobState;
  /** Proves the lease; text, as it is larger than JavaScript's whole numbers. Null when the job is not running. */
  abstract readonly token: string | null;

  /** What middleware and the handler want to share during this run; nothing of it is stored. */
  readonly locals: JobLocals = {};
  #holder: Holder | null;
  #rawData: string;
  #data: Data | undefined;
  #parsed = false;
  #assigned = false;
  #abort: AbortController | undefined;
  /** How a method has ended it, or is about to; null before. */
  #endedAs: RunEnd | null = null;
  /** What became of it when its run ended here; null before. */
  #outcome: string | null = null;
  /** Whether its own holder is about to end the lease by another operation: that is no loss. */
  #leaving = false;
  #lost = false;
  /** Why its handler should end; null while it may go on. */
  #interrupted: JobInterrupted | null = null;
  #rule: ErrorRule | null = null;
  /** As which {@link fail} was called last. */
  #failure: Fail | null = null;
  #since = performance.now();
  /** Whether it was reserved here, not looked up. */
  #reserved: boolean;

  /** @internal */
  constructor(jid: string, rawData: string, holder: Holder | null, reserved: boolean) {
    super(jid, holder?.door ?? null);
    this.#rawData = rawData;
    this.#holder = holder;
    this.#reserved = reserved;
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

  /**
   * Aborted when the handler should end: the worker was told to kill it, its time is over, or the lease is lost. The signal's
   * `reason` is a {@link JobInterrupted}, which says why; `job.signal.throwIfAborted()` throws it, and so does what is given
   * the signal, `fetch` for example.
   */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#interrupted !== null && !this.#abort.signal.aborted) {
      this.#abort.abort(this.#interrupted);
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
    this.#failure = new Fail(group, message, trace);
    return this.#finish({ verb: "fail", fields: this.#failure.fields(), raw: {} });
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
    return data === undefined ? this.#held(operation).heartbeat(this.#job) : this.#save(data);
  }

  async #save(value: unknown): Promise<number> {
    const operation = "job_save";
    const data = toJson(value, "data", operation);
    const lease = jsonObject(Held.lease(this as Held, operation), { data });
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
    await this.door(operation).ask(operation, { ...Held.lease(this as Held, operation), ...fields });
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
    const whose = this.#reserved && this.#outcome === null ? Held.lease(this as Held, operation) : { jid: this.jid };
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
    this.#endedAs = ending.verb;
    try {
      this.#outcome = await holder.finish(this.#job, ending);
      return this.#outcome as JobOutcome;
    } catch (error) {
      // A refused argument ended nothing: the handler may still end the job another way.
      if (error instanceof InvalidArgument) {
        this.#endedAs = null;
      }
      throw error;
    }
  }

  /** There is no other class of what is held. */
  get #job(): Job {
    return this as unknown as Job;
  }

  #held(operation: string): Holder {
    Held.lease(this as Held, operation);
    return this.#holder as Holder;
  }

  /** @internal */
  protected override async ending<T>(how: "cancelled" | "requeued" | "timed out", act: () => Promise<T>): Promise<T> {
    this.#leaving = true;
    try {
      const answer = await act();
      if (this.token !== null && this.#outcome === null) {
        this.#endedAs = how;
        this.#outcome = how;
        this.#holder?.drop(this.#job);
      }
      return answer;
    } finally {
      this.#leaving = false;
    }
  }

  /** @internal What names a job and proves that it is in hand. */
  static lease(job: Held, operation: string): { jid: string; token: string } {
    if (job.token === null || job.#outcome !== null) {
      const what = `job ${job.jid} is ${job.#outcome ?? job.state} and not in this program's hands`;
      throw wrongState(what, operation, job.jid);
    }
    return { jid: job.jid, token: job.token };
  }

  /** @internal Its run is over, whatever becomes of it. */
  static letGo(job: Held): void {
    job.#outcome ??= "finished";
  }

  /** @internal True when a method above has ended it: the handler's return value then counts no more. */
  static ended(job: Held): boolean {
    return job.#endedAs !== null;
  }

  /** @internal How a method above has ended it; null when none has. */
  static endedAs(job: Held): RunEnd | null {
    return job.#endedAs;
  }

  /** @internal As what {@link fail} has ended it; null when it has not. */
  static failure(job: Held): Fail | null {
    return job.#endedAs === "fail" ? job.#failure : null;
  }

  /** @internal True when the lease is known to be lost. */
  static isLost(job: Held): boolean {
    return job.#lost;
  }

  /** @internal The completion with what the handler returned. */
  static returned(job: Held, result: unknown): Ending {
    return job.#completion(result, {});
  }

  /** @internal Milliseconds. How long ago it was reserved, by the monotonic clock. */
  static run(job: Held): number {
    return Math.round(performance.now() - job.#since);
  }

  /** @internal Aborts the signal. */
  static interrupt(job: Held, reason: string): void {
    job.#interrupted ??= new JobInterrupted(job.jid, reason);
    job.#abort?.abort(job.#interrupted);
  }

  /** @internal Why its handler should end; null while it may go on. */
  static interrupted(job: Held): JobInterrupted | null {
    return job.#interrupted;
  }

  /** @internal The lease is known to be lost: aborts the signal. False when its end was its own doing. */
  static lose(job: Held, reason: string): boolean {
    if (job.#outcome !== null) {
      return false;
    }
    job.#lost = true;
    Held.interrupt(job, reason);
    return true;
  }

  /** @internal Whether its own holder is about to end the lease, and may yet fail to. */
  static leaving(job: Held): boolean {
    return job.#leaving;
  }

  /** @internal What becomes of it, should its run end by this error. */
  static rule(job: Held, rule: ErrorRule | null): void {
    job.#rule = rule;
  }

  /** @internal The rule for this error, if there is one. */
  static ruleOf(job: Held, error: unknown): ErrorRule | null {
    return job.#rule?.error === error ? job.#rule : null;
  }
}

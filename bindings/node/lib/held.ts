import { DONE, type Ending } from "./ending.js";
import {
  COMPLETE_OPTIONS,
  type CompleteOptions,
  HEARTBEAT_OPTIONS,
  type HeartbeatOptions,
  RETRY_OPTIONS,
  type RetryOptions,
} from "./held-options.js";
import type { JobOutcome } from "./job.js";
import { jsonObject, toJson } from "./json.js";
import { coreOptions, milliseconds, optionsObject, plain, text } from "./options.js";
import { Fail } from "./outcome.js";
import { type Holder, Run } from "./run.js";

/** {@link Job.locals}: by name, whatever the program puts there. */
// biome-ignore lint/suspicious/noExplicitAny: what is there only the program knows
export type JobLocals = Record<string, any>;

/** What the holder of a {@link Job} may do with it and must hear of it, while its run lasts. */
export abstract class Held<Data = unknown> extends Run {
  /** What middleware and the handler want to share during this run; nothing of it is stored. */
  readonly locals: JobLocals = {};
  #rawData: string;
  #data: Data | undefined;
  #parsed = false;
  #assigned = false;

  /** @internal */
  constructor(jid: string, rawData: string, holder: Holder | null, reserved: boolean) {
    super(jid, holder, reserved);
    this.#rawData = rawData;
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
    return this.finish(this.#completion(result, options));
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
    const said = new Fail(group, message, trace);
    return this.finish({ verb: "fail", fields: said.fields(), raw: {} }, said);
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
    return this.finish({ verb: "retry", fields, raw: {} });
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
    return this.finish({ verb: "snooze", fields, raw: {} });
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
    return this.finish({ verb: "release", fields: {}, raw: {} });
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
    return data === undefined ? this.renew(operation) : this.#save(data);
  }

  async #save(value: unknown): Promise<number> {
    const operation = "job_save";
    const data = toJson(value, "data", operation);
    const lease = jsonObject(Run.lease(this, operation), { data });
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
    await this.door(operation).ask(operation, { ...Run.lease(this, operation), ...fields });
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
    const whose = Run.goesOn(this) ? Run.lease(this, operation) : { jid: this.jid };
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

  /** @internal The completion with what the handler returned. */
  static returned(job: Held, result: unknown): Ending {
    return result === undefined && !job.#assigned ? DONE : job.#completion(result, {});
  }
}

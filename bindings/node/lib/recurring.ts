import { Backoff, type BackoffJson } from "./backoff.js";
import type { Door } from "./door.js";
import { camelCase, jsonObject, toJson } from "./json.js";
import type { NativeView } from "./native.js";
import { optionsObject, texts } from "./options.js";
import { jobOptions, SHARED_OPTIONS, type SharedOptions } from "./put.js";

/** Options of {@link Queue.putRecurring}: those of its jobs, and when they come. */
export interface RecurringOptions extends SharedOptions {
  /** Its id, 1 to 235 bytes; its jobs are called `<jid>-1`, `<jid>-2` … Default: a new UUID, 32 hex digits. */
  jid?: string;
  /** Milliseconds. Until the first job, 0 or more. Default 0: now. */
  offset?: number;
  /** Of the jobs that nobody was there to put, at most so many are made up for. Default 0: all. */
  backlog?: number;
}

export const RECURRING_OPTIONS = { jid: "jid", offset: "offset_ms", backlog: "backlog", ...SHARED_OPTIONS };

/** What the core calls otherwise than this package, of all that makes a recurring job. */
export const RECURRING_NAMES = {
  offset: "offset_ms",
  interval: "interval_ms",
  timeout: SHARED_OPTIONS.timeout,
  backoff: SHARED_OPTIONS.backoff,
};

/** Options of {@link Recurring.update}. What is not given stays as it is. */
export interface RecurringUpdate extends SharedOptions {
  /** Milliseconds. From one job to the next, 1 or more; when it changes, the next comes so long from now. */
  interval?: number;
  /** Names the handler, 1 to 255 bytes. */
  kind?: string;
  /** The queue that its jobs are put into. */
  queue?: string;
  /** The payload of its jobs, any JSON value or a RawJson. */
  data?: unknown;
  /** Of the jobs that nobody was there to put, at most so many are made up for; 0: all. */
  backlog?: number;
}

const UPDATE_OPTIONS = {
  interval: "interval_ms",
  kind: "kind",
  queue: "queue",
  data: "data",
  backlog: "backlog",
  ...SHARED_OPTIONS,
};

/** The fields of a recurring job as a look-up gives them. */
type RecurringFields = Omit<Recurring, "data" | "rawData" | "backoff" | Methods> & { backoff: BackoffJson | null };
type Methods = "update" | "cancel" | "tag" | "untag" | "pause" | "resume";

/**
 * A template that puts a job every interval: one for each that has passed, even when nobody looked.
 *
 * Made by {@link Queue.putRecurring}, looked up by {@link Client.recurring} and {@link Queue.recurring}. All instants and
 * spans are milliseconds. The fields are those of the moment when it was read; they do not change.
 *
 * @typeParam Data what the caller knows `data` to be; it is not checked.
 */
export class Recurring<Data = unknown> {
  /** Its id; its jobs name it as their parent. */
  readonly jid: string;
  /** Names the handler. */
  readonly kind: string;
  /** The queue that its jobs are put into. */
  readonly queue: string;
  /** Milliseconds. From one job to the next. */
  readonly interval: number;
  /** Of the jobs that nobody was there to put, at most so many are made up for; 0: all. */
  readonly backlog: number;
  /** How many jobs it has put. */
  readonly count: number;
  /** True when it puts nothing until it is resumed. */
  readonly paused: boolean;
  /** Milliseconds. When the next job comes, by Redis's clock, UTC epoch; null when it is paused. */
  readonly nextAt: number | null;
  /** -128 to 127; larger is reserved first. */
  readonly priority: number;
  /** How often a job may run again. */
  readonly retries: number;
  readonly tags: readonly string[];
  readonly throttles: readonly string[];
  /** The queues that a job goes through after the first. */
  readonly route: readonly string[];
  /** The texts that go with a job. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds. How long a run of a job may take; null: as its kind or the worker says. */
  readonly timeout: number | null;
  /** How long a job waits after an error that no {@link retryRules} name; null: as its kind says. */
  readonly backoff: Backoff | null;
  /** The payload's JSON text, byte for byte as it was put. */
  readonly rawData: string;

  #door: Door;

  /** @internal */
  constructor(view: NativeView, door: Door) {
    const fields = camelCase(JSON.parse(view.rest)) as RecurringFields;
    this.jid = fields.jid;
    this.kind = fields.kind;
    this.queue = fields.queue;
    this.interval = fields.interval;
    this.backlog = fields.backlog;
    this.count = fields.count;
    this.paused = fields.paused;
    this.nextAt = fields.nextAt;
    this.priority = fields.priority;
    this.retries = fields.retries;
    this.tags = fields.tags;
    this.throttles = fields.throttles;
    this.route = fields.route;
    this.headers = fields.headers;
    this.timeout = fields.timeout;
    this.backoff = Backoff.read(fields.backoff);
    this.rawData = view.data;
    this.#door = door;
  }

  /** The payload of its jobs, parsed at each look. Whole numbers beyond 2^53 lose digits; {@link rawData} has them all. */
  get data(): Data {
    return JSON.parse(this.rawData) as Data;
  }

  /**
   * Change it in place, from its next job on.
   *
   * @throws InvalidArgument for a bad or unknown option; JobNotFound when it was cancelled.
   *
   * Source: core/src/engine/ops/recurring_update.lua
   */
  async update(options: RecurringUpdate): Promise<void> {
    const operation = "recurring_update";
    const { data, ...others } = optionsObject(options, operation);
    const raw = { data: data === undefined ? undefined : toJson(data, "data", operation) };
    const fields = { jid: this.jid, ...jobOptions(others, UPDATE_OPTIONS, operation) };
    await this.#door.call(operation, jsonObject(fields, raw), RECURRING_NAMES);
  }

  /**
   * Put no more of its jobs; those that were put stay.
   *
   * @returns false when it was cancelled before.
   *
   * Source: core/src/engine/ops/recurring_cancel.lua
   */
  async cancel(): Promise<boolean> {
    return (await this.#door.ask("recurring_cancel", { jids: [this.jid] })) === 1;
  }

  /**
   * Add tags to those that its jobs will have.
   *
   * @returns the tags now.
   * @throws InvalidArgument for a bad tag and more than 32; JobNotFound when it was cancelled.
   *
   * Source: core/src/engine/ops/recurring_tag.lua
   */
  async tag(...tags: string[]): Promise<string[]> {
    const operation = "recurring_tag";
    return (await this.#ask(operation, { tags: texts(tags, "tags", operation) })) as string[];
  }

  /**
   * Take tags off those that its jobs will have.
   *
   * @returns the tags now.
   * @throws InvalidArgument for a bad tag; JobNotFound when it was cancelled.
   *
   * Source: core/src/engine/ops/recurring_untag.lua
   */
  async untag(...tags: string[]): Promise<string[]> {
    const operation = "recurring_untag";
    return (await this.#ask(operation, { tags: texts(tags, "tags", operation) })) as string[];
  }

  /**
   * Put nothing until it is resumed.
   *
   * @returns false when it was paused before.
   * @throws JobNotFound when it was cancelled.
   *
   * Source: core/src/engine/ops/recurring_pause.lua
   */
  async pause(): Promise<boolean> {
    return (await this.#ask("recurring_pause", {})) === 1;
  }

  /**
   * Go on at the first of its instants that is still to come; what was missed meanwhile is not made up for.
   *
   * @returns false when it was not paused.
   * @throws JobNotFound when it was cancelled.
   *
   * Source: core/src/engine/ops/recurring_resume.lua
   */
  async resume(): Promise<boolean> {
    return (await this.#ask("recurring_resume", {})) === 1;
  }

  async #ask(operation: string, fields: object): Promise<unknown> {
    return this.#door.ask(operation, { jid: this.jid, ...fields });
  }
}

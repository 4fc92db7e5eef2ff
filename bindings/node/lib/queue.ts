import type { Door } from "./door.js";
import { type ErrorFields, errorOf, invalidArgument } from "./errors.js";
import type { Job } from "./job.js";
import { camelCase, jsonObject, toJson } from "./json.js";
import { coreOptions, text } from "./options.js";

/** Options of {@link Queue.put}. */
export interface PutOptions {
  /** The job's id, 1 to 255 bytes. Default: a new UUID, 32 hex digits. */
  jid?: string;
  /** -128 to 127; larger is reserved first. Default 0. */
  priority?: number;
  /** Milliseconds. Before the job may run, 0 or more, a fraction is rounded. Default 0. */
  delay?: number;
  /** How often it may run again after it was lost or its handler threw, 0 to 255. Default 5. */
  retries?: number;
  /** Labels to find it by, at most 32. Default none. */
  tags?: readonly string[];
  /** The queues that it goes through after this one, in order, at most 64. Default none. */
  route?: readonly string[];
  /**
   * When there is a job of this jid: `replace` it unless it runs, `keep` it, `reject` this one, or `move` it even when it
   * runs. Default `replace`.
   */
  onConflict?: "replace" | "keep" | "reject" | "move";
}

/** One job of {@link Queue.putMany}. */
export interface PutItem extends PutOptions {
  /** Names the handler, 1 to 255 bytes. */
  kind: string;
  /** The payload: any JSON value or a RawJson. Default null. */
  data?: unknown;
}

const PUT = "queue_put";

const PUT_OPTIONS = {
  jid: "jid",
  priority: "priority",
  delay: "delay_ms",
  retries: "retries",
  tags: "tags",
  route: "route",
  onConflict: "on_conflict",
};

/** What became of one put. */
export interface Placed {
  /** The job's id. */
  readonly jid: string;
  /** `put`, `replaced` or `kept`, as `onConflict` says; `exists` for a job of putMany that it rejected. */
  readonly outcome: "put" | "replaced" | "kept" | "exists";
}

/** What became of one put, as the core says it. */
interface Answer extends Placed {
  /** Why it was refused, for the outcome `exists`. */
  readonly error?: ErrorFields;
}

/** Options of {@link Queue.reserve}. */
export interface ReserveOptions {
  /** Who takes them, as others see it: host:pid:8 hex digits. Default: a name made once per client. */
  worker?: string;
}

const RESERVE_OPTIONS = { worker: "worker" };

/** How many jobs of a queue are in each state. */
export interface QueueCounts {
  readonly waiting: number;
  readonly scheduled: number;
  readonly blocked: number;
  readonly throttled: number;
  /** In hand, under a lease that holds. */
  readonly running: number;
  /** Those whose lease has run out and that are not yet handed on; not among the running ones. */
  readonly stalled: number;
  readonly recurring: number;
  /** True when nothing is reserved from it. */
  readonly paused: boolean;
}

/** Times of the jobs of one queue and day. */
export interface QueueTimes {
  readonly count: number;
  /** Milliseconds. */
  readonly mean: number;
  /** Milliseconds. Standard deviation. */
  readonly deviation: number;
  /** Milliseconds. Half of them took at most this, as exact as the histogram. */
  readonly p50: number;
  /** Milliseconds. 99 of 100 took at most this, as exact as the histogram. */
  readonly p99: number;
  /** Milliseconds (upper bound of the bucket) and how many fell into it. */
  readonly histogram: readonly (readonly [upper: number, count: number])[];
}

/** What happened in a queue on one day. */
export interface QueueStats {
  /** From being ready to the start. */
  readonly wait: QueueTimes;
  /** From the start to the outcome. */
  readonly run: QueueTimes;
  readonly failures: number;
  readonly retries: number;
}

/** A named line of jobs. Made by {@link Client.queue}. */
export class Queue {
  /** The queue's name. */
  readonly name: string;
  #door: Door;

  /** @internal */
  constructor(door: Door, name: string) {
    this.#door = door;
    this.name = name;
  }

  /**
   * Place a job in this queue. When the promise resolves, the job is in Redis.
   *
   * @param kind names the handler, 1 to 255 bytes.
   * @param data the payload: any JSON value, or a RawJson for text that is stored byte for byte. Default null.
   * @returns the job's id and what became of the put.
   * @throws InvalidArgument, before anything is written, for data that JSON cannot hold (undefined, NaN, a BigInt, a
   *   circle, a Map …), data larger than `max-data`, a bad or unknown option; JobExists when `onConflict` is `reject`
   *   and there is a job of this jid.
   *
   * Source: core/src/engine/ops/queue_put.lua
   */
  async put(kind: string): Promise<Placed>;
  async put(kind: string, data: unknown, options?: PutOptions): Promise<Placed>;
  async put(kind: string, ...rest: [data?: unknown, options?: PutOptions]): Promise<Placed> {
    // An explicit undefined is a mistake to be told, not null: the caller's variable was meant to hold something.
    const data = rest.length === 0 ? "null" : toJson(rest[0], "data", PUT);
    const [{ error, ...placed }] = (await this.#put([this.#item(kind, data, rest[1] ?? {}, "")])) as [Answer];
    if (error !== undefined) {
      throw errorOf(error);
    }
    return placed;
  }

  /**
   * Place many jobs in one call, in this order: all of them, or none when an argument is refused. A job
   * that `onConflict` rejects is left out and does not stop the others: its outcome is `exists`.
   *
   * @param jobs 1 to 1000.
   * @returns per job its id and what became of its put, in the same order.
   * @throws InvalidArgument as {@link put}; of several jobs it names the argument as `jobs[3].priority`.
   *
   * Source: core/src/engine/ops/queue_put.lua
   */
  async putMany(jobs: readonly PutItem[]): Promise<Placed[]> {
    if (!Array.isArray(jobs)) {
      throw invalidArgument(`jobs must be an array, not ${typeof jobs}`, PUT);
    }
    const answers = await this.#put(jobs.map((job, index) => this.#listed(job, index, jobs.length)));
    return answers.map(({ jid, outcome }) => ({ jid, outcome }));
  }

  /**
   * Take up to `limit` jobs of this queue under a lease.
   *
   * The lease is as long as the queue's `heartbeat` setting; {@link Job.heartbeat} renews it.
   * Order: larger priority first, then first put; a job whose lease ran out keeps its old place.
   * A paused queue gives none. Does not wait: a {@link Worker} does.
   *
   * @param limit 1 to 1000. Default 1. Fewer come back when the queue holds fewer; none is an empty list.
   * @throws InvalidArgument for a bad limit and an unknown option.
   *
   * Source: core/src/engine/ops/queue_reserve.lua
   */
  async reserve<Data = unknown>(limit = 1, options: ReserveOptions = {}): Promise<Job<Data>[]> {
    const operation = "queue_reserve";
    const { worker = null } = coreOptions(options, RESERVE_OPTIONS, operation);
    if (!Number.isSafeInteger(limit)) {
      throw invalidArgument(`limit ${String(limit)} is not a whole number`, operation);
    }
    const holder = worker === null ? null : text(worker, "worker", operation);
    const jobs = await this.#door.reserve(this.name, limit, holder);
    return jobs as Job<Data>[];
  }

  /**
   * How many jobs are in each state.
   *
   * Source: core/src/engine/ops/queue_counts.lua
   */
  async counts(): Promise<QueueCounts> {
    return (await this.#read("queue_counts", {})) as QueueCounts;
  }

  /**
   * Wait and run times of one day, failures and retries.
   *
   * @param day a UTC day, `YYYY-MM-DD` or a Date. Default: today by Redis's clock.
   * @throws InvalidArgument for a day of another form.
   *
   * Source: core/src/engine/ops/queue_stats.lua
   */
  async stats(day?: string | Date): Promise<QueueStats> {
    const operation = "queue_stats";
    const args = day === undefined ? {} : { day: utcDay(day, operation) };
    return camelCase(await this.#read(operation, args)) as QueueStats;
  }

  /** One job of a put as the core reads it. `within` says in errors which one it is. */
  #item(kind: string, data: string, options: PutOptions, within: string): string {
    const fields = { queue: this.name, kind: text(kind, `${within}kind`, PUT) };
    return jsonObject({ ...fields, ...coreOptions(options, PUT_OPTIONS, PUT, within) }, { data });
  }

  #listed(job: PutItem, index: number, count: number): string {
    const place = `jobs[${index}]`;
    if (typeof job !== "object" || job === null) {
      throw invalidArgument(`${place} must be an object, not ${job === null ? "null" : typeof job}`, PUT);
    }
    const within = count === 1 ? "" : `${place}.`;
    const { kind, data, ...options } = job;
    const json = Object.hasOwn(job, "data") ? toJson(data, `${within}data`, PUT) : "null";
    return this.#item(kind, json, options, within);
  }

  async #put(items: readonly string[]): Promise<Answer[]> {
    return JSON.parse(await this.#door.call(PUT, `{"jobs":[${items.join(",")}]}`, PUT_OPTIONS)) as Answer[];
  }

  async #read(operation: string, args: object): Promise<unknown> {
    return JSON.parse(await this.#door.call(operation, JSON.stringify({ queue: this.name, ...args })));
  }
}

function utcDay(day: string | Date, operation: string): string {
  if (!(day instanceof Date)) {
    return text(day, "day", operation);
  }
  if (Number.isNaN(day.getTime())) {
    throw invalidArgument("day is an invalid Date", operation);
  }
  return day.toISOString().slice(0, 10);
}

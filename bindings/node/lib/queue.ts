import { randomUUID } from "node:crypto";
import type { Door } from "./door.js";
import { invalidArgument, jobNotFound } from "./errors.js";
import type { Job } from "./job.js";
import { camelCase, jsonObject, type RawJson, toJson } from "./json.js";
import type { NativeView } from "./native.js";
import { coreOptions, milliseconds, text } from "./options.js";
import { type JidPage, PAGE_OPTIONS, type Page, type PageOptions } from "./page.js";
import { jobOptions, type Placed, type PutItem, type PutOptions } from "./put.js";
import type { QueueCounts, QueueStats } from "./queue-figures.js";
import { RECURRING_NAMES, RECURRING_OPTIONS, Recurring, type RecurringOptions } from "./recurring.js";
import { Throttle } from "./throttle.js";

/** Options of {@link Queue.reserve}. */
export interface ReserveOptions {
  /** Who takes them, as others see it: host:pid:8 hex digits. Default: a name made once per client. */
  worker?: string;
}

const RESERVE_OPTIONS = { worker: "worker" };

/** Where in a queue jobs are listed: {@link Queue.jobs}. */
export type QueueState = "waiting" | "scheduled" | "blocked" | "throttled" | "running" | "stalled" | "recurring";

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
   *   and there is a job of this jid; UnknownDependency when `missing` is `reject`; Cycle and TooDeep for its dependencies.
   *
   * Source: core/src/engine/ops/queue_put.lua
   */
  async put(kind: string): Promise<Placed>;
  async put(kind: string, data: unknown, options?: PutOptions): Promise<Placed>;
  async put(kind: string, ...rest: [data?: unknown, options?: PutOptions]): Promise<Placed> {
    // An explicit undefined is a mistake to be told, not null: the caller's variable was meant to hold something.
    const data = rest.length === 0 ? null : rest[0];
    return this.#door.putting.one({ queue: this.name, kind, data, options: rest[1] ?? {} });
  }

  /**
   * Place many jobs, in this order; none when an argument is refused. A job that `onConflict` rejects is left
   * out and does not stop the others: its outcome is `exists`.
   *
   * Up to 250 jobs, with up to 250 tags and throttles in all (each dependency counted twice) and 8 MiB of
   * data, are one step: all or none. More, or jobs that replace some with more, go by several steps, and an error
   * then says how many jobs are put.
   *
   * @param jobs 1 or more.
   * @returns per job its id and what became of its put, in the same order.
   * @throws InvalidArgument as {@link put}; of several jobs it names the argument as `jobs[3].priority`.
   *
   * Source: core/src/engine/ops/queue_put.lua
   */
  async putMany(jobs: readonly PutItem[]): Promise<Placed[]> {
    return this.#door.putting.many(this.name, jobs);
  }

  /**
   * Take up to `limit` jobs of this queue under a lease.
   *
   * The lease is as long as the queue's `heartbeat` setting; {@link Job.heartbeat} renews it.
   * Order: larger priority first, then first put; a job whose lease ran out keeps its old place.
   * A paused queue gives none. Does not wait: a {@link Worker} does.
   *
   * @param limit 1 to 250. Default 1. Fewer come back when the queue holds fewer; none is an empty list.
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

  /**
   * How many jobs are in it, in whatever state; recurring jobs are not counted.
   *
   * Source: core/src/engine/ops/queue_length.lua
   */
  async length(): Promise<number> {
    return (await this.#read("queue_length", {})) as number;
  }

  /**
   * The jobs that would be reserved next, without reserving them. Those that are due and not yet among the waiting ones are
   * left out.
   *
   * @throws InvalidArgument for a bad or unknown option.
   *
   * Source: core/src/engine/ops/queue_peek.lua
   */
  async peek<Data = unknown>(page: PageOptions = {}): Promise<Job<Data>[]> {
    const operation = "queue_peek";
    const own = coreOptions(page, PAGE_OPTIONS, operation);
    const jobs = await this.#door.jobs(operation, { queue: this.name, ...own });
    return jobs.filter((job) => job !== null) as Job<Data>[];
  }

  /**
   * The jobs that are in one state: next to run, to become due or to expire first.
   *
   * @throws InvalidArgument for another state and a bad or unknown option.
   *
   * Source: core/src/engine/ops/job_list.lua
   */
  async jobs(state: QueueState, page: PageOptions = {}): Promise<JidPage> {
    const operation = "job_list";
    const own = coreOptions(page, PAGE_OPTIONS, operation);
    return (await this.#read(operation, { state: text(state, "state", operation), ...own })) as JidPage;
  }

  /**
   * Reserve nothing more from it; running jobs go on.
   *
   * @returns false when it was paused before.
   *
   * Source: core/src/engine/ops/queue_pause.lua
   */
  async pause(): Promise<boolean> {
    return this.#change("queue_pause");
  }

  /**
   * Serve it again.
   *
   * @returns false when it was not paused.
   *
   * Source: core/src/engine/ops/queue_unpause.lua
   */
  async unpause(): Promise<boolean> {
    return this.#change("queue_unpause");
  }

  /**
   * Drop it, empty as it is, from the list of queues, with its pause, settings and throttle. The next put brings it back.
   *
   * @returns false when it was not known.
   * @throws WrongState when it still has jobs or recurring jobs.
   *
   * Source: core/src/engine/ops/queue_forget.lua
   */
  async forget(): Promise<boolean> {
    return this.#change("queue_forget");
  }

  /** The limit on how many of its jobs run at once. Costs nothing. */
  get throttle(): Throttle {
    return new Throttle(this.#door, { queue: this.name });
  }

  /**
   * Put a job every interval from now on: one for each that has passed, even when nobody looked. A recurring job of the same
   * jid is replaced, and counts on.
   *
   * @param kind names the handler, 1 to 255 bytes.
   * @param data the payload: any JSON value, or a RawJson for text that is stored byte for byte.
   * @param interval Milliseconds. 1 or more, a fraction is rounded.
   * @returns the recurring job as it is now.
   * @throws InvalidArgument for data that JSON cannot hold, and a bad or unknown argument.
   *
   * Source: core/src/engine/ops/recurring_put.lua
   */
  async putRecurring<Data = unknown>(
    kind: string,
    data: Data | RawJson,
    interval: number,
    options: RecurringOptions = {},
  ): Promise<Recurring<Data>> {
    const operation = "recurring_put";
    const fields = {
      jid: randomUUID().replaceAll("-", ""),
      ...jobOptions(options, RECURRING_OPTIONS, operation),
      queue: this.name,
      kind: text(kind, "kind", operation),
      interval_ms: milliseconds(interval, "interval", operation),
    };
    await this.#door.call(operation, jsonObject(fields, { data: toJson(data, "data", operation) }), RECURRING_NAMES);
    const view = await this.#door.view("recurring_get", { jid: fields.jid });
    if (view === null) {
      throw jobNotFound(`recurring job ${fields.jid} was cancelled at once`, operation, fields.jid);
    }
    return new Recurring<Data>(view, this.#door);
  }

  /**
   * The recurring jobs that put into it: next first, paused ones last.
   *
   * @throws InvalidArgument for a bad or unknown option.
   *
   * Source: core/src/engine/ops/recurring_list.lua
   */
  async recurring(page: PageOptions = {}): Promise<Page<Recurring>> {
    const operation = "recurring_list";
    const own = coreOptions(page, PAGE_OPTIONS, operation);
    const { views, rest } = await this.#door.views(operation, { queue: this.name, ...own });
    const items = views.map((view) => new Recurring(view as NativeView, this.#door));
    return { total: (rest as { total: number }).total, items };
  }

  async #read(operation: string, args: object): Promise<unknown> {
    return this.#door.ask(operation, { queue: this.name, ...args });
  }

  async #change(operation: string): Promise<boolean> {
    return (await this.#door.ask(operation, { queues: [this.name] })) === 1;
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

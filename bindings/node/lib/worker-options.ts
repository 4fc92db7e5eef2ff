import { Backoff, type BackoffLike } from "./backoff.js";
import type { Job } from "./job.js";
import { optionsObject } from "./options.js";
import type { ChooseQueues } from "./order.js";
import { jobOptions } from "./put.js";
import type { RunEnd } from "./run.js";

/** A StatsD server, and what it is sent: `<key>.<kind>.count`, `<key>.<kind>.<outcome>` and `<key>.<kind>.time`, in milliseconds. */
export interface StatsdOptions {
  host: string;
  /** Default 8125. */
  port?: number;
  /** Letters, digits, `_`, `-` and `.`. Default `manyhands`. */
  key?: string;
}

/** Options of {@link Worker}. */
export interface WorkerOptions {
  /**
   * Queues to reserve from, 1 to 1000 names or patterns; with the strategy `ordered` the earlier go first.
   *
   * `mail-*` stands for the queues there are that match (`*`: any text), by name; `!mail-bulk` takes away what
   * it matches of the entries before it, or, as the first, of all queues; `@slow` stands for a saved list
   * ({@link Client.patterns}), `!@slow` for the opposite of each of its entries. Patterns are followed while the
   * worker runs; saved priorities come before the order here.
   */
  queues: readonly string[];
  /** How many handlers may be under way at once, 1 to 1000. Default 1. */
  concurrency?: number;
  /**
   * How it chooses among its queues: `ordered` empties the earlier first, `round_robin` serves all alike,
   * `shuffled_round_robin` too, in an order drawn anew each time, `weighted` by {@link weights}; a function says itself which
   * of them are asked, and in which order, whenever the worker is about to take a job, and every second while it waits for one.
   * Default `ordered`.
   */
  strategy?: "ordered" | "round_robin" | "shuffled_round_robin" | "weighted" | ChooseQueues;
  /** 1 to 1000 by queue or pattern, for the strategy `weighted`. Default: 1 each. */
  weights?: Readonly<Record<string, number>>;
  /** Milliseconds. How long a stop waits for handlers that are under way. Default 25,000. */
  shutdownTimeout?: number;
  /**
   * Milliseconds. The longest an idle worker waits before it looks again for what nobody told it, 10 to 86,400,000. Default 2000.
   * A put, a due time or a freed throttle is told at once, whatever this says.
   */
  interval?: number;
  /**
   * Milliseconds. How long a handler may run, 1 or more; a put ({@link PutOptions}) and a handler ({@link PerformOptions}) may say
   * otherwise. Then its signal is aborted, and it has `killTimeout` to end: what it throws spends a retry. One that does not end has
   * {@link Worker.run} take no more jobs, leave the others `shutdownTimeout`, and end the process with status 70. Default: as long
   * as it likes.
   */
  timeout?: number;
  /** Milliseconds. What is left to handlers after TERM, INT or their `timeout`, 0 or more. Default 2000. */
  killTimeout?: number;
  /** How many jobs it starts in all; then {@link Worker.run} returns, and {@link Worker.next} gives null. Default 0: no limit. */
  maxJobs?: number;
  /** How each job that ends is written to standard error: `text`, `json`, or `off`. Default `off`. */
  log?: "off" | "text" | "json";
  /** Whether jobs that start are logged too. Default false. */
  verbose?: boolean;
  /** Where a counter and a timing for each kind of jobs are sent. Default: nowhere. */
  statsd?: StatsdOptions;
}

export const WORKER_OPTIONS = {
  queues: "queues",
  concurrency: "threads",
  strategy: "strategy",
  weights: "weights",
  shutdownTimeout: "shutdown_timeout_ms",
  interval: "interval_ms",
  timeout: "timeout_ms",
  killTimeout: "kill_timeout_ms",
  maxJobs: "max_jobs",
  log: "log",
  verbose: "verbose",
  statsd: "statsd",
};

/** A worker as others see it, in the list of all: {@link Client.workers}. */
export interface WorkerStatus {
  /** host:pid:8 hex digits. */
  readonly name: string;
  /** Milliseconds. Since it was last heard of. */
  readonly silent: number;
  /** True when its supervisor said that it is dead. */
  readonly lost: boolean;
  /** How many jobs it has in hand, under leases that hold. */
  readonly running: number;
  /** How many jobs it has in hand whose leases have run out. */
  readonly stalled: number;
  /** What it says of itself: language, version, host, pid, threads, queues, kinds, running, quiet, paused, since_ms
   * (how long it lives), memory (bytes), jobs (at most 100 it performs: jid, kind, queue, since_ms); null before its first pulse. */
  readonly status: Readonly<Record<string, unknown>> | null;
}

/** What the core says of the kinds that {@link Worker.perform} named. */
export const KIND_NAMES = { kind: "kinds[" };

/** Options of {@link Worker.perform}. */
export interface PerformOptions {
  /** Milliseconds. How long its handler may run, 1 or more, unless a put says otherwise. Default: the worker's `timeout`. */
  timeout?: number;
  /**
   * How long its jobs wait after an error, unless their puts say otherwise; {@link retryRules} come before both. Default: 1 s to 1 h,
   * doubling.
   */
  backoff?: BackoffLike;
}

export const LIMITS = { timeout: "timeout_ms", backoff: "backoff" };

/** What holds for a kind: `timeout` in milliseconds, undefined: the worker's own counts. */
export interface KindLimits {
  readonly timeout: number | undefined;
  readonly backoff: Backoff | undefined;
}

/** Checked. */
export function limitsOf(options: PerformOptions): KindLimits {
  const { backoff, ...others } = optionsObject(options, null);
  const { timeout_ms } = jobOptions(others, LIMITS, null);
  return {
    timeout: timeout_ms as number | undefined,
    backoff: backoff === undefined ? undefined : Backoff.of(backoff),
  };
}

/** Options of {@link Worker.run}. */
export interface RunOptions {
  /**
   * Whether the worker obeys signals. QUIT does what {@link Worker.stop} does: no new jobs, and `shutdownTimeout` for handlers
   * under way. TERM and INT interrupt these ({@link Worker.killRunning}) and leave them `killTimeout`, also when they come after
   * QUIT; a second TERM or INT ends the process now. USR2 is {@link Worker.pause}, CONT {@link Worker.resume}; TTIN writes to the
   * console what is under way. USR1 is the inspector's. Only the main thread gets signals. Default true.
   */
  signals?: boolean;
}

/** Options of {@link Worker.next}. */
export interface NextOptions {
  /** Milliseconds. How long to wait, 0 or more, a fraction is rounded. Default: until there is a job or the worker is stopped. */
  timeout?: number;
}

export const NEXT_OPTIONS = { timeout: "timeout_ms" };

/**
 * Performs jobs of one kind. What it returns is stored as the job's result; `undefined` stores none.
 *
 * What it throws makes the job run again with growing delay until its retries are spent; then it fails in the group
 * `<kind>:<class of the error>`, after one of Manyhands' own errors in `<kind>:<name of its code>`: INVALID_ARGUMENT for a
 * result that JSON cannot hold. It is written to the console. {@link Fail}, {@link Retry} and {@link Snooze} say what they say.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler need not return anything
export type Handler<Data = unknown> = (job: Job<Data>) => unknown | Promise<unknown> | void;

/** The events of a {@link Worker}, for `on` and `once`. What a listener throws is written to the console. */
export interface WorkerEvents {
  /** The worker begins to take jobs. */
  start: [];
  /** The worker has stopped: outcomes are stored, unstarted jobs given back. */
  stop: [];
  /** The handler of a job, and what middleware is around it, is about to run. */
  beforePerform: [job: Job];
  /** It has ended so; the job's outcome is on its way. */
  afterPerform: [job: Job, end: RunEnd];
  /** It threw an error, or Fail; or called {@link Job.fail}, told as that Fail. Comes after afterPerform. */
  failure: [job: Job, error: unknown];
  /**
   * The lease of a job was lost while its handler ran, or its outcome was refused; nothing of that run is stored. It is
   * written to the console too.
   *
   * The reason is expired, cancelled, replaced, finished or unknown for a lost lease; else what the engine said of an outcome
   * that it could not take, such as a result larger than `max-data`, for which the job runs again.
   */
  lockLost: [job: Job, reason: string];
}

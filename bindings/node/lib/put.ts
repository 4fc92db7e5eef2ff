import { Backoff, type JobBackoff } from "./backoff.js";
import { type ErrorFields, invalidArgument, type Names, sync } from "./errors.js";
import { native } from "./native.js";
import { coreOptions, type OptionNames } from "./options.js";

/** What jobs and recurring jobs alike may have. */
export interface SharedOptions {
  /** -128 to 127; larger is reserved first. Default 0. */
  priority?: number;
  /** How often it may run again after it was lost or its handler threw, 0 to 255. Default 5. */
  retries?: number;
  /** Labels to find it by, at most 32. Default none. */
  tags?: readonly string[];
  /** The throttles that limit it, at most 32: it runs when all of them have room, and counts in each while it runs. Default none. */
  throttles?: readonly string[];
  /** The queues that it goes through after this one, in order, at most 64. Default none. */
  route?: readonly string[];
  /** Texts that go with it through all stages, such as a trace's context: at most 32, 4 KiB with their names. Default none. */
  headers?: Readonly<Record<string, string>>;
  /** Milliseconds. How long a run of it may take, 1 or more, a fraction is rounded. Default: as its kind or the worker says. */
  timeout?: number;
  /**
   * How long it waits after an error that no {@link retryRules} name: no function, as it goes with the job; a list of at most 64, a
   * factor of at most 1000. Default: as its kind says.
   */
  backoff?: JobBackoff;
}

export const SHARED_OPTIONS = {
  priority: "priority",
  retries: "retries",
  tags: "tags",
  throttles: "throttles",
  route: "route",
  headers: "headers",
  timeout: "timeout_ms",
  backoff: "backoff_ms",
};

/** {@link coreOptions} of those who have a timeout of runs and a backoff among them. */
export function jobOptions<Options extends Pick<SharedOptions, "timeout" | "backoff">>(
  options: Options,
  names: OptionNames<Options>,
  operation: string | null,
  within = "",
): Record<string, unknown> {
  const backoff = options?.backoff;
  const others = backoff === undefined ? options : { ...options, backoff: undefined };
  const fields = coreOptions(others, names, operation, within);
  if (fields.timeout_ms === 0) {
    throw invalidArgument(`${within}timeout must be 1 ms or more`, operation);
  }
  if (backoff !== undefined) {
    fields.backoff_ms = Backoff.carried(backoff, `${within}backoff`, operation);
  }
  return fields;
}

/** Refuses what a put of the jobs of this JSON list would refuse before anything is sent to a server. */
export function checkPuts(jobs: string, names: Names, operation: string | null): void {
  sync(() => native.checkPuts(jobs, operation), names);
}

/** What a job may wait for. */
export interface DependOptions {
  /** What a dependency is that does not exist: `satisfied`, or `reject` for UnknownDependency. Default `satisfied`. */
  missing?: "satisfied" | "reject";
}

export const DEPEND_OPTIONS = { missing: "missing" };

/** Options of {@link Queue.put}. */
export interface PutOptions extends SharedOptions, DependOptions {
  /** The job's id, 1 to 255 bytes. Default: a new UUID, 32 hex digits. */
  jid?: string;
  /** Milliseconds. Before the job may run, 0 or more, a fraction is rounded. Default 0. */
  delay?: number;
  /** The jids of the jobs that must be completed before it may run, at most 256. Default none. */
  dependencies?: readonly string[];
  /**
   * When there is a job of this jid: `replace` it unless it runs, `keep` it, `reject` this one, or `move` it even when it
   * runs. Default `replace`.
   */
  onConflict?: "replace" | "keep" | "reject" | "move";
}

export const PUT_OPTIONS = {
  jid: "jid",
  ...SHARED_OPTIONS,
  delay: "delay_ms",
  dependencies: "dependencies",
  ...DEPEND_OPTIONS,
  onConflict: "on_conflict",
};

/** One job of {@link Queue.putMany}. */
export interface PutItem extends PutOptions {
  /** Names the handler, 1 to 255 bytes. */
  kind: string;
  /** The payload: any JSON value or a RawJson. Default null. */
  data?: unknown;
}

/** What became of one put. */
export interface Placed {
  /** The job's id. */
  readonly jid: string;
  /** `put`, `replaced` or `kept`, as `onConflict` says; `exists` for a job of putMany that it rejected. */
  readonly outcome: "put" | "replaced" | "kept" | "exists";
  /** Those of its dependencies that it need not wait for: completed, or unknown. */
  readonly satisfied: readonly string[];
}

/** What became of one put, as the core says it. */
export interface PutAnswer extends Placed {
  /** Why it was refused, for the outcome `exists`. */
  readonly error?: ErrorFields;
}

/** Options of {@link Job.requeue}. What is not given stays as it is. */
export interface RequeueOptions extends SharedOptions, DependOptions {
  /** Where to. Default: the queue that it is in. */
  queue?: string;
  /** Its new data, any JSON value or a RawJson. */
  data?: unknown;
  /** Milliseconds. Before it may run, 0 or more, a fraction is rounded. Default 0. */
  delay?: number;
  /** The jids of the jobs that it waits for, at most 256; they take the place of those it has. */
  dependencies?: readonly string[];
}

export const REQUEUE_OPTIONS = {
  queue: "queue",
  data: "data",
  delay: "delay_ms",
  ...SHARED_OPTIONS,
  dependencies: "dependencies",
  ...DEPEND_OPTIONS,
};

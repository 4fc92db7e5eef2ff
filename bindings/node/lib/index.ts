/**
 * Manyhands: a job system for programs written in several languages.
 *
 * Times are milliseconds throughout: spans as they are, instants since 1970 UTC by Redis's clock.
 */

export {
  Backoff,
  type BackoffJson,
  type BackoffLike,
  type ExponentialOptions,
  type GrowingWait,
  type JitterOption,
  type JobBackoff,
} from "./backoff.js";
export type { CheckOptions, Violation } from "./check.js";
export { Client } from "./client.js";
export type { ClientEvents, ClientOptions, SweepOptions, Swept, TagCount, WorkerJobs } from "./client-options.js";
export type { Config, ConfigOptions, Settings } from "./config.js";
export {
  Closed,
  type CodeRow,
  Cycle,
  codes,
  Denied,
  EngineOutdated,
  type ErrorFields,
  HasDependents,
  Internal,
  InvalidArgument,
  JobExists,
  JobNotFound,
  LockLost,
  ManyhandsError,
  NoServerProgram,
  OutcomeUnknown,
  OutOfMemory,
  ReadOnly,
  SchemaMismatch,
  Timeout,
  TooDeep,
  Unavailable,
  UnknownDependency,
  UnknownOperation,
  UnsupportedUrl,
  WrongPartition,
  WrongState,
} from "./errors.js";
export type { Event, EventName, Events, EventsOptions } from "./events.js";
export type { Explanation, Reason } from "./explanation.js";
export type { FailureGroup, JobFailure, UnfailOptions } from "./failure.js";
export type { Held, JobLocals } from "./held.js";
export type { CompleteOptions, HeartbeatOptions, RetryOptions } from "./held-options.js";
export type { HistoryEntry, JobProgress } from "./history.js";
export type { Hooks } from "./hooks.js";
export { JobInterrupted } from "./interrupted.js";
export { type BuildOptions, Job, type JobOutcome, type JobState } from "./job.js";
export {
  type ClassPutOptions,
  type ClassRecurringOptions,
  defineJob,
  type JobClass,
  type JobDefaults,
} from "./job-class.js";
export { RawJson } from "./json.js";
export type { Listings } from "./listings.js";
export type { Managed } from "./managed.js";
export type { Middleware } from "./middleware.js";
export type { ChooseQueues } from "./order.js";
export { Fail, Outcome, Retry, Snooze } from "./outcome.js";
export type { JidPage, Page, PageOptions } from "./page.js";
export type { PatternLists, PatternPriority, Patterns } from "./patterns.js";
export type {
  DependOptions,
  Placed,
  PutItem,
  PutOptions,
  RequeueOptions,
  SharedOptions,
} from "./put.js";
export type { Put, PutMiddleware } from "./putting.js";
export type { Queue, QueueState, ReserveOptions } from "./queue.js";
export type { QueueCounts, QueueStats, QueueSummary, QueueTimes } from "./queue-figures.js";
export type { Recurring, RecurringOptions, RecurringUpdate } from "./recurring.js";
export { type ErrorClass, type RetryRules, retryRules } from "./retry-rules.js";
export type { Run, RunEnd } from "./run.js";
export type { Throttle, ThrottleCounts, ThrottleOptions } from "./throttle.js";
export { Worker } from "./worker.js";
export type {
  Handler,
  NextOptions,
  PerformOptions,
  RunOptions,
  StatsdOptions,
  WorkerEvents,
  WorkerOptions,
  WorkerStatus,
} from "./worker-options.js";

import { native } from "./native.js";

/** The version of this package and of the core inside it. */
export const version: string = native.version();

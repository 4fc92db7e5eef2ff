/**
 * Manyhands: a job system for programs written in several languages.
 *
 * Times are milliseconds throughout: spans as they are, instants since 1970 UTC by Redis's clock.
 */

export { Client, type ClientOptions } from "./client.js";
export type { Config, ConfigOptions } from "./config.js";
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
export type { CompleteOptions, Job, JobEvent, JobFailure, JobOutcome, JobState, RetryOptions } from "./job.js";
export { RawJson } from "./json.js";
export { Fail, Outcome, Retry, Snooze } from "./outcome.js";
export type {
  Placed,
  PutItem,
  PutOptions,
  Queue,
  QueueCounts,
  QueueStats,
  QueueTimes,
  ReserveOptions,
} from "./queue.js";
export {
  type Handler,
  type LostJob,
  type RunOptions,
  Worker,
  type WorkerEvents,
  type WorkerOptions,
} from "./worker.js";

import { native } from "./native.js";

/** The version of this package and of the core inside it. */
export const version: string = native.version();

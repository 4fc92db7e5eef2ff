import { native } from "./native.js";

/** What an error says, as the core writes it. */
export interface ErrorFields {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  readonly operation: string | null;
  readonly jid: string | null;
  readonly reason: string | null;
  readonly retryable: boolean;
}

/**
 * Base of every error of Manyhands: what went wrong, during what, about which job, and whether to repeat it.
 *
 * There is one subclass per code, so `error instanceof LockLost` and `error.code === 201` say the same.
 *
 * Source: core/src/error.rs
 */
export class ManyhandsError extends Error {
  /** The number that is the same in every language, for example 201. Never reused. */
  readonly code: number;
  /**
   * The engine's operation that failed, for example `job_complete`, or the worker's own call, for example `worker_run`; null
   * where there was none: an option of a Client or Worker, a URL, a RawJson, a handler named too late.
   */
  readonly operation: string | null;
  /** The job it was about, or null. */
  readonly jid: string | null;
  /** For LOCK_LOST how the lease was lost: expired, cancelled, replaced, finished or unknown. Else null. */
  readonly reason: string | null;
  /** True when the same call, repeated later and unchanged, may succeed and can do no harm. */
  readonly retryable: boolean;

  constructor(fields: ErrorFields, options?: ErrorOptions) {
    super(fields.message, options);
    // Not enumerable, as on every Error: consoles would print it twice.
    Object.defineProperty(this, "name", { value: fields.name, configurable: true, writable: true });
    this.code = fields.code;
    this.operation = fields.operation;
    this.jid = fields.jid;
    this.reason = fields.reason;
    this.retryable = fields.retryable;
  }

  /** For example `LOCK_LOST: job 8f3c is no longer held under this token: expired (during job_complete)`. */
  override toString(): string {
    const during = this.operation === null ? "" : ` (during ${this.operation})`;
    return `${this.name}: ${this.message}${during}`;
  }
}

/** 100 INVALID_ARGUMENT: an argument, option or setting is wrong; the message names it. */
export class InvalidArgument extends ManyhandsError {}
/** 101 UNKNOWN_OPERATION: there is no operation of this name. */
export class UnknownOperation extends ManyhandsError {}
/** 102 UNSUPPORTED_URL: the URL's scheme is not one this build can connect to. */
export class UnsupportedUrl extends ManyhandsError {}
/** 103 WRONG_PARTITION: the jid belongs to another partition than the job it needs. */
export class WrongPartition extends ManyhandsError {}
/** 104 UNKNOWN_DEPENDENCY: a dependency does not exist and `missing` is `reject`. */
export class UnknownDependency extends ManyhandsError {}
/** 105 CYCLE: the dependencies would form a circle. */
export class Cycle extends ManyhandsError {}
/** 106 TOO_DEEP: the search for a circle met too many jobs. */
export class TooDeep extends ManyhandsError {}
/** 107 CLOSED: the client or worker was closed. */
export class Closed extends ManyhandsError {}
/** 200 JOB_NOT_FOUND: no job has this jid. */
export class JobNotFound extends ManyhandsError {}
/** 201 LOCK_LOST: the token no longer holds the job; `reason` says why. */
export class LockLost extends ManyhandsError {}
/** 202 WRONG_STATE: the job's state does not allow this. */
export class WrongState extends ManyhandsError {}
/** 203 HAS_DEPENDENTS: other jobs wait for this one. */
export class HasDependents extends ManyhandsError {}
/** 204 JOB_EXISTS: a job of this jid exists and `onConflict` is `reject`. */
export class JobExists extends ManyhandsError {}
/** 300 UNAVAILABLE: Redis cannot be reached, is loading, or is busy. Nothing was changed. */
export class Unavailable extends ManyhandsError {}
/** 301 TIMEOUT: a reading call got no answer in time. */
export class Timeout extends ManyhandsError {}
/** 302 OUTCOME_UNKNOWN: a changing call was sent but got no answer in time: it may or may not have happened. */
export class OutcomeUnknown extends ManyhandsError {}
/** 303 OUT_OF_MEMORY: Redis is at its `maxmemory`. Nothing was changed. */
export class OutOfMemory extends ManyhandsError {}
/** 304 READ_ONLY: Redis takes no writes now: a replica, a failed save, or too few replicas. Nothing was changed. */
export class ReadOnly extends ManyhandsError {}
/** 305 DENIED: wrong or missing password, a right (ACL) is missing, or a TLS certificate does not fit. */
export class Denied extends ManyhandsError {}
/** 306 ENGINE_OUTDATED: the server, or the engine loaded in it, is older than this client needs. */
export class EngineOutdated extends ManyhandsError {}
/** 307 SCHEMA_MISMATCH: the namespace was written by another major version of the engine. */
export class SchemaMismatch extends ManyhandsError {}
/** 308 NO_SERVER_PROGRAM: `embedded:` needs a redis-server or valkey-server program; there is none on the PATH. */
export class NoServerProgram extends ManyhandsError {}
/** 900 INTERNAL: a fault in Manyhands itself. */
export class Internal extends ManyhandsError {}

const classes: Record<string, typeof ManyhandsError> = {
  InvalidArgument,
  UnknownOperation,
  UnsupportedUrl,
  WrongPartition,
  UnknownDependency,
  Cycle,
  TooDeep,
  Closed,
  JobNotFound,
  LockLost,
  WrongState,
  HasDependents,
  JobExists,
  Unavailable,
  Timeout,
  OutcomeUnknown,
  OutOfMemory,
  ReadOnly,
  Denied,
  EngineOutdated,
  SchemaMismatch,
  NoServerProgram,
  Internal,
};

/** One row of {@link codes}. */
export interface CodeRow {
  /** The number, for example 201. */
  readonly code: number;
  /** The code's text, for example `LOCK_LOST`. */
  readonly name: string;
  /** True when the same call, repeated later and unchanged, may succeed and can do no harm. */
  readonly retryable: boolean;
  /** The class that is thrown for it; the base class for a code that is newer than this package. */
  readonly errorClass: typeof ManyhandsError;
}

/** Every code there is, from the core's own list, in the order of the numbers. */
export const codes: readonly CodeRow[] = native.codes().map(({ code, name, class: className, retryable }) => ({
  code,
  name,
  retryable,
  errorClass: classes[className] ?? ManyhandsError,
}));

const byCode = new Map(codes.map((row) => [row.code, row]));

/** The error of these fields, in the class of its code. */
export function errorOf(fields: ErrorFields, options?: ErrorOptions): ManyhandsError {
  const errorClass = byCode.get(fields.code)?.errorClass ?? ManyhandsError;
  return new errorClass(fields, options);
}

/** An argument is wrong; `message` names it. */
export function invalidArgument(
  message: string,
  operation: string | null = null,
  options?: ErrorOptions,
): InvalidArgument {
  const fields = { code: 100, name: "INVALID_ARGUMENT", message, operation, jid: null, reason: null, retryable: false };
  return new InvalidArgument(fields, options);
}

/** No job has this jid. */
export function jobNotFound(message: string, operation: string, jid: string): JobNotFound {
  const fields = { code: 200, name: "JOB_NOT_FOUND", message, operation, jid, reason: null, retryable: false };
  return new JobNotFound(fields);
}

/** The state of the job, or of the worker, does not allow this. */
export function wrongState(message: string, operation: string | null, jid: string | null): WrongState {
  const fields = { code: 202, name: "WRONG_STATE", message, operation, jid, reason: null, retryable: false };
  return new WrongState(fields);
}

/** The client or worker was closed. */
export function closed(message: string, operation: string): Closed {
  const fields = { code: 107, name: "CLOSED", message, operation, jid: null, reason: null, retryable: false };
  return new Closed(fields);
}

/** For each name that this package uses, the core's; one that ends with `[` stands for any entry of that list. */
export type Names = Readonly<Record<string, string>>;

/**
 * What the core says of an argument, which it begins with its own name for it, under this package's name.
 *
 * What it says of several jobs begins with `jobs[3].`, which stays; of options with `options.`, which goes.
 */
function renamed(message: string, names: Names): string {
  const place = /^(?:jobs\[\d+\]\.|options\.)?/.exec(message)?.[0] ?? "";
  const said = message.slice(place.length);
  const [own, core] = Object.entries(names).find(([, core]) => beginsWith(said, core)) ?? ["", ""];
  const rest = said.slice(core.endsWith("[") ? said.indexOf("]") + 1 : core.length);
  return (place === "options." ? "" : place) + own + rest;
}

function beginsWith(said: string, core: string): boolean {
  return said.startsWith(core) && (core.endsWith("[") || !/^\w/.test(said.slice(core.length)));
}

/** What the native module threw, as an error of this package: its message is the core's JSON, except after a panic. */
function fromNative(thrown: unknown, names?: Names): ManyhandsError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  try {
    return errorOf(inNames(JSON.parse(message) as ErrorFields, names));
  } catch {
    const fields = { code: 900, name: "INTERNAL", message, operation: null, jid: null, reason: null, retryable: false };
    return new Internal(fields, { cause: thrown });
  }
}

function inNames(fields: ErrorFields, names: Names | undefined): ErrorFields {
  const renames = names !== undefined && ["INVALID_ARGUMENT", "UNSUPPORTED_URL"].includes(fields.name);
  return renames ? { ...fields, message: renamed(fields.message, names) } : fields;
}

/** The result of a native function, its error translated; what it says of arguments, in the `names` of this package. */
export function sync<T>(body: () => T, names?: Names): T {
  try {
    return body();
  } catch (thrown) {
    throw fromNative(thrown, names);
  }
}

/** As {@link sync}, of a native promise; the stack is that of the caller. */
export async function settled<T>(body: () => Promise<T>, names?: Names): Promise<T> {
  try {
    return await body();
  } catch (thrown) {
    throw fromNative(thrown, names);
  }
}

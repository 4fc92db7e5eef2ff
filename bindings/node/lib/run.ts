import { performance } from "node:perf_hooks";
import type { Door } from "./door.js";
import type { Ending } from "./ending.js";
import { InvalidArgument, wrongState } from "./errors.js";
import { JobInterrupted } from "./interrupted.js";
import type { Job, JobOutcome, JobState } from "./job.js";
import { Managed } from "./managed.js";
import type { Fail } from "./outcome.js";

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

/** A job's run, as far as this program has it: how it ends, and why it should. */
export abstract class Run extends Managed {
  abstract readonly state: JobState;
  /** Proves the lease; text, as it is larger than JavaScript's whole numbers. Null when the job is not running. */
  abstract readonly token: string | null;

  #holder: Holder | null;
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
  /** As what a method has failed it. */
  #failure: Fail | null = null;
  #since = performance.now();
  /** Whether it was reserved here, not looked up. */
  #reserved: boolean;

  /** @internal */
  constructor(jid: string, holder: Holder | null, reserved: boolean) {
    super(jid, holder?.door ?? null);
    this.#holder = holder;
    this.#reserved = reserved;
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

  /** @internal `failure`: as what it fails. */
  protected async finish(ending: Ending, failure: Fail | null = null): Promise<JobOutcome> {
    const holder = this.#held(`job_${ending.verb}`);
    this.#endedAs = ending.verb;
    this.#failure = failure;
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

  /** @internal Resolves to the milliseconds that the lease now lasts. */
  protected async renew(operation: string): Promise<number> {
    return this.#held(operation).heartbeat(this.#job);
  }

  #held(operation: string): Holder {
    Run.lease(this, operation);
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
  static lease(job: Run, operation: string): { jid: string; token: string } {
    if (job.token === null || job.#outcome !== null) {
      const why = `is ${job.#outcome ?? job.state} and not in this program's hands`;
      const what = job.#holder === null ? "was built without a server: nobody holds it" : why;
      throw wrongState(`job ${job.jid} ${what}`, operation, job.jid);
    }
    return { jid: job.jid, token: job.token };
  }

  /** @internal Its run is over, whatever becomes of it. */
  static letGo(job: Run): void {
    job.#outcome ??= "finished";
  }

  /** @internal True when a method above has ended it: the handler's return value then counts no more. */
  static ended(job: Run): boolean {
    return job.#endedAs !== null;
  }

  /** @internal How a method above has ended it; null when none has. */
  static endedAs(job: Run): RunEnd | null {
    return job.#endedAs;
  }

  /** @internal As what a method has failed it; null when none has. */
  static failure(job: Run): Fail | null {
    return job.#endedAs === "fail" ? job.#failure : null;
  }

  /** @internal True when the lease is known to be lost. */
  static isLost(job: Run): boolean {
    return job.#lost;
  }

  /** @internal Milliseconds. How long ago it was reserved, by the monotonic clock. */
  static run(job: Run): number {
    return Math.round(performance.now() - job.#since);
  }

  /** @internal Aborts the signal. */
  static interrupt(job: Run, reason: string): void {
    job.#interrupted ??= new JobInterrupted(job.jid, reason);
    job.#abort?.abort(job.#interrupted);
  }

  /** @internal Why its handler should end; null while it may go on. */
  static interrupted(job: Run): JobInterrupted | null {
    return job.#interrupted;
  }

  /** @internal The lease is known to be lost: aborts the signal. False when its end was its own doing. */
  static lose(job: Run, reason: string): boolean {
    if (job.#outcome !== null) {
      return false;
    }
    job.#lost = true;
    Run.interrupt(job, reason);
    return true;
  }

  /** @internal Whether its own holder is about to end the lease, and may yet fail to. */
  static leaving(job: Run): boolean {
    return job.#leaving;
  }

  /** @internal Whether its run is this program's, and has not ended. */
  static goesOn(job: Run): boolean {
    return job.#reserved && job.#outcome === null;
  }

  /** @internal What becomes of it, should its run end by this error. */
  static rule(job: Run, rule: ErrorRule | null): void {
    job.#rule = rule;
  }

  /** @internal The rule for this error, if there is one. */
  static ruleOf(job: Run, error: unknown): ErrorRule | null {
    return job.#rule?.error === error ? job.#rule : null;
  }
}

import { described } from "./ending.js";
import { invalidArgument } from "./errors.js";
import type { Job } from "./job.js";
import { coreOptions, milliseconds } from "./options.js";

/** How much longer or shorter a wait is at random, as a share of it: 0 to 1. */
export interface JitterOption {
  jitter?: number;
}

/** Options of {@link Backoff.exponential}. */
export interface ExponentialOptions extends JitterOption {
  /** By how much the wait grows with each error, 1 or more. Default 2. */
  factor?: number;
  /** Milliseconds. The longest wait. Default 3,600,000. */
  most?: number;
}

const JITTER = { jitter: "jitter" };

const EXPONENTIAL = { ...JITTER, factor: "factor", most: "most" };

/** What an exponential one is unless it says otherwise; so in every language. */
const UNSAID = { factor: 2, most: 3_600_000, jitter: 0.1 };

/** A wait that grows with each error; spans in milliseconds. */
export interface GrowingWait {
  /** After the first error. */
  readonly first: number;
  readonly factor: number;
  /** The longest. */
  readonly most: number;
}

/** What stands for a backoff that goes with a job: milliseconds for the same wait each time, an array for one after the other. */
export type JobBackoff = Backoff | number | readonly number[];

/**
 * What stands for a backoff: also a function of the number of errors (1 or more) for the milliseconds that it returns. When it
 * throws, the job waits as without one.
 */
export type BackoffLike = JobBackoff | ((errors: number) => number);

/** A backoff as jobs carry it, in whole milliseconds. Another program's may lack members: {@link Backoff.read}. */
export type BackoffJson =
  | number
  | readonly number[]
  | { readonly list: readonly number[]; readonly jitter?: number }
  | (Pick<GrowingWait, "first"> & Partial<GrowingWait> & JitterOption);

/** How long a job waits before it runs again after an error, by the number of its errors. */
export class Backoff {
  /** Milliseconds: one after the other, the last for all that follow; or what grows, or the function that says them. */
  readonly wait: readonly number[] | GrowingWait | ((errors: number) => number);
  /** How much longer or shorter a wait is at random, as a share of it: 0 to 1. */
  readonly jitter: number;

  /** @internal */
  constructor(wait: Backoff["wait"], jitter = 0) {
    if (typeof jitter !== "number" || !(jitter >= 0 && jitter <= 1)) {
      throw invalidArgument(`jitter must be 0 to 1, not ${String(jitter)}`);
    }
    this.wait = wait;
    this.jitter = jitter;
  }

  /**
   * Grows with each error.
   *
   * @param first Milliseconds. After the first error. Default 1000. Jitter is 0.1 unless said otherwise.
   * @throws InvalidArgument for what is not in its range, and an unknown option.
   */
  static exponential(first = 1_000, options: ExponentialOptions = {}): Backoff {
    coreOptions(options, EXPONENTIAL, null);
    const { factor = UNSAID.factor, most = UNSAID.most, jitter = UNSAID.jitter } = options;
    if (typeof factor !== "number" || !(factor >= 1 && factor < Number.POSITIVE_INFINITY)) {
      throw invalidArgument(`factor must be 1 or more, not ${String(factor)}`);
    }
    return new Backoff({ first: milliseconds(first, "first"), factor, most: milliseconds(most, "most") }, jitter);
  }

  /**
   * The same after each error.
   *
   * @param delay Milliseconds.
   * @throws InvalidArgument for what is not in its range, and an unknown option.
   */
  static fixed(delay: number, options: JitterOption = {}): Backoff {
    coreOptions(options, JITTER, null);
    return new Backoff([milliseconds(delay, "delay")], options.jitter);
  }

  /**
   * One after the other; the last for all that follow.
   *
   * @param delays Milliseconds, each; 1 or more.
   * @throws InvalidArgument for an empty list, what is not in its range, and an unknown option.
   */
  static list(delays: readonly number[], options: JitterOption = {}): Backoff {
    coreOptions(options, JITTER, null);
    if (!Array.isArray(delays)) {
      throw invalidArgument(`delays must be an array, not ${typeof delays}`);
    }
    return new Backoff(spans(delays, "backoff", null), options.jitter);
  }

  /** @internal `name` says in errors what it is. */
  static of(value: BackoffLike, name = "backoff", operation: string | null = null): Backoff {
    if (value instanceof Backoff) {
      return value;
    }
    if (typeof value === "function") {
      return new Backoff(value);
    }
    return new Backoff(Array.isArray(value) ? spans(value, name, operation) : [milliseconds(value, name, operation)]);
  }

  /** @internal The backoff that goes with a job, as JSON; the core checks its ranges. */
  static carried(value: JobBackoff, name: string, operation: string | null): BackoffJson {
    const json = Backoff.of(value, name, operation).toJSON();
    if (json === undefined) {
      const why = "it goes with the job to whatever program performs it; that of a kind may be one";
      throw invalidArgument(`${name} must not be a function: ${why}`, operation);
    }
    return json;
  }

  /** @internal What a job carries; null for none. */
  static read(json: BackoffJson | null): Backoff | null {
    if (json === null) {
      return null;
    }
    if (typeof json === "number") {
      return new Backoff([json]);
    }
    if (!("list" in json || "first" in json)) {
      return new Backoff(json);
    }
    if ("list" in json) {
      return new Backoff(json.list, json.jitter);
    }
    const { first, factor, most, jitter } = { ...UNSAID, ...json };
    return new Backoff({ first, factor, most }, jitter);
  }

  /**
   * @internal Milliseconds to wait after an error of this job; undefined when the function of the program does not say, which is
   * written to the console.
   */
  static after(backoff: Backoff, job: Job): number | undefined {
    try {
      return backoff.delay(job.retries - job.remaining + 1);
    } catch (thrown) {
      const where = `job ${job.jid} (${job.kind})`;
      console.error(`manyhands: ${where}: its backoff threw, and it waits as without one: ${described(thrown)}`);
      return undefined;
    }
  }

  /**
   * @param errors how many there were, this one included: 1 or more.
   * @returns Milliseconds.
   */
  delay(errors: number): number {
    const shift = 1 + this.jitter * (2 * Math.random() - 1);
    return milliseconds(this.#wait(errors) * shift, "what the backoff gave");
  }

  /** What JSON.stringify writes, and jobs carry: all but a function, for which it is undefined. */
  toJSON(): BackoffJson | undefined {
    const { wait, jitter } = this;
    if (typeof wait === "function") {
      return undefined;
    }
    if ("first" in wait) {
      return { ...wait, jitter };
    }
    return jitter > 0 ? { list: wait, jitter } : wait.length > 1 ? wait : wait[0];
  }

  #wait(errors: number): number {
    const { wait } = this;
    if (typeof wait === "function") {
      return wait(errors);
    }
    if ("first" in wait) {
      // Powers may overflow to Infinity, which 0 would make NaN.
      return wait.first === 0 ? 0 : Math.min(wait.first * wait.factor ** (errors - 1), wait.most);
    }
    return wait[errors - 1] ?? (wait.at(-1) as number);
  }
}

/** Milliseconds, each; 1 or more. */
function spans(delays: readonly number[], name: string, operation: string | null): number[] {
  if (delays.length === 0) {
    throw invalidArgument(`${name} is an empty list`, operation);
  }
  // Not `map`, which leaves out what is missing.
  return Array.from(delays, (delay, index) => milliseconds(delay, `${name}[${index}]`, operation));
}

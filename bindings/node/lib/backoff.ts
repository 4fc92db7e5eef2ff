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

/**
 * What stands for a backoff: milliseconds for the same wait each time, an array for one after the other, a function of the
 * number of errors (1 or more) for the milliseconds that it returns. When the function throws, the job waits as without one.
 */
export type BackoffLike = Backoff | number | readonly number[] | ((errors: number) => number);

/** How long a job waits before it runs again after an error, by the number of its errors. */
export class Backoff {
  #delay: (errors: number) => number;
  #jitter: number;

  /** @internal */
  constructor(delay: (errors: number) => number, jitter = 0) {
    if (typeof jitter !== "number" || !(jitter >= 0 && jitter <= 1)) {
      throw invalidArgument(`jitter must be 0 to 1, not ${String(jitter)}`);
    }
    this.#delay = delay;
    this.#jitter = jitter;
  }

  /**
   * Grows with each error.
   *
   * @param first Milliseconds. After the first error. Default 1000. Jitter is 0.1 unless said otherwise.
   * @throws InvalidArgument for what is not in its range, and an unknown option.
   */
  static exponential(first = 1_000, options: ExponentialOptions = {}): Backoff {
    coreOptions(options, EXPONENTIAL, null);
    const { factor = 2, most = 3_600_000, jitter = 0.1 } = options;
    if (typeof factor !== "number" || !(factor >= 1 && factor < Number.POSITIVE_INFINITY)) {
      throw invalidArgument(`factor must be 1 or more, not ${String(factor)}`);
    }
    const [from, to] = [milliseconds(first, "first"), milliseconds(most, "most")];
    // Powers may overflow to Infinity, which 0 would make NaN.
    return new Backoff((errors) => (from === 0 ? 0 : Math.min(from * factor ** (errors - 1), to)), jitter);
  }

  /**
   * The same after each error.
   *
   * @param delay Milliseconds.
   * @throws InvalidArgument for what is not in its range, and an unknown option.
   */
  static fixed(delay: number, options: JitterOption = {}): Backoff {
    return Backoff.list([delay], options);
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
    const spans = delays.map((delay, index) => milliseconds(delay, `backoff[${index}]`));
    const last = spans.at(-1);
    if (last === undefined) {
      throw invalidArgument("backoff is an empty list");
    }
    return new Backoff((errors) => spans[errors - 1] ?? last, options.jitter);
  }

  /** @internal */
  static of(value: BackoffLike): Backoff {
    if (value instanceof Backoff) {
      return value;
    }
    if (Array.isArray(value)) {
      return Backoff.list(value);
    }
    return typeof value === "function" ? new Backoff(value) : Backoff.fixed(value as number);
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
    const shift = 1 + this.#jitter * (2 * Math.random() - 1);
    return milliseconds(this.#delay(errors) * shift, "what the backoff gave");
  }
}

import { settled } from "./errors.js";
import type { Hands } from "./hands.js";
import type { Job } from "./job.js";
import type { NativeWorker } from "./native.js";
import { onExit } from "./process.js";
import type { Setup } from "./setup.js";
import { type Pace, Watch } from "./watch.js";

/** Milliseconds. How often a strategy that is a function is asked while a job is waited for. */
const ASK_EVERY = 1_000;

/** Gives jobs to a loop of the program's own. */
export class Taking {
  #setup: Setup;
  #hands: Hands;
  /** Looks for losses among the jobs that it gave; while there are none, the garbage collector may have the worker. */
  #watch = new Watch(() => this.look(), false);
  #unwatchExit: (() => void) | undefined;

  constructor(setup: Setup, hands: Hands) {
    this.#setup = setup;
    this.#hands = hands;
  }

  /** Whether a job was ever asked for. */
  get begun(): boolean {
    return this.#unwatchExit !== undefined;
  }

  /** Waits so many milliseconds for a job, null: for ever. Null when the time is over or the worker is stopped. */
  async next(timeout: number | null): Promise<Job | null> {
    this.#unwatchExit ??= endedAtExit(this.#hands.native);
    this.#arrange();
    const job = this.#hands.take() ?? (await this.#waitedFor(timeout));
    return job === null ? null : this.#give(job);
  }

  /** At the jobs in hand. */
  look(): Pace {
    this.#hands.look();
    return this.#hands.taken.size > 0 ? "often" : "called";
  }

  end(): void {
    this.#unwatchExit?.();
    this.#watch.end();
  }

  async #waitedFor(timeout: number | null): Promise<Job | null> {
    const asked = this.#setup.order && setInterval(() => this.#arrange(), ASK_EVERY);
    try {
      const [native] = await settled(() => this.#hands.native.nextOne(timeout));
      return native === undefined ? null : this.#hands.reserved(native);
    } finally {
      clearInterval(asked);
    }
  }

  #arrange(): void {
    this.#setup.order?.arrange(this.#hands.native);
  }

  #give(job: Job): Job {
    this.#hands.taken.add(job);
    this.#watch.hurry();
    return job;
  }
}

/** The native half of a worker that nobody stops is freed with it: what is told of the exit must not hold the worker. */
function endedAtExit(worker: NativeWorker): () => void {
  const native = new WeakRef(worker);
  return onExit(() => native.deref()?.end());
}

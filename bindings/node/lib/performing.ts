import { Backoff } from "./backoff.js";
import { chosenEnding, described, type Ending, errorEnding, failureGroup } from "./ending.js";
import type { Hands } from "./hands.js";
import type { JobInterrupted } from "./interrupted.js";
import { Job } from "./job.js";
import { type Middleware, through } from "./middleware.js";
import { Outcome } from "./outcome.js";
import type { ErrorRule, RunEnd } from "./run.js";
import type { Handler } from "./worker-options.js";

const UNKNOWN_KIND: Ending = Object.freeze({
  verb: "unknown_kind",
  fields: Object.freeze({}),
  raw: Object.freeze({}),
});

/** Who is told of runs. */
export interface RunListener {
  before(job: Job): void;
  failed(job: Job, thrown: unknown): void;
  after(job: Job, end: RunEnd): void;
}

/** Runs the handlers of a worker, and hands over how they ended. */
export class Performing {
  /** By kind. */
  readonly handlers = new Map<string, Handler>();
  /** How long their jobs wait after an error, by kind. */
  readonly backoffs = new Map<string, Backoff>();
  /** Around each of them; the first is outermost. */
  readonly layers: Middleware[] = [];
  #listener: RunListener;
  /** What handlers threw, but Retry and Snooze. */
  #failures = new WeakMap<Job, unknown>();

  constructor(listener: RunListener) {
    this.#listener = listener;
  }

  /** Calls `ended` at the end. Never throws. */
  perform(job: Job, hands: Hands, ended: () => void): Promise<void> {
    hands.running.add(job);
    return this.run(job, (ending) => {
      hands.running.delete(job);
      if (!Job.ended(job)) {
        hands.handOver(job, ending);
      }
      this.over(job, ending);
      ended();
    });
  }

  /** Its run has ended so, and the outcome is on its way. */
  over(job: Job, ending: Ending): void {
    Job.letGo(job);
    if (ending.verb !== "unknown_kind") {
      this.#listener.after(job, Job.endedAs(job) ?? ending.verb);
      const failed = Job.failure(job);
      if (this.#failures.has(job)) {
        this.#listener.failed(job, this.#failures.get(job));
      } else if (failed !== null) {
        this.#listener.failed(job, failed);
      }
    }
  }

  /** The error that its handler threw; undefined when it threw none, or an outcome. */
  failed(job: Job): { readonly error: unknown } | undefined {
    const error = this.#failures.get(job);
    return !this.#failures.has(job) || error instanceof Outcome ? undefined : { error };
  }

  /**
   * Runs the handler of the job, and then `told` with how that ended; throws only what that throws. Nobody awaits the run of a
   * worker's job, so that a `told` of these must not throw: that would be an unhandled rejection.
   */
  async run<Told>(job: Job, told: (ending: Ending) => Told): Promise<Told> {
    const handler = this.handlers.get(job.kind);
    if (handler === undefined) {
      return told(UNKNOWN_KIND);
    }
    this.#listener.before(job);
    let ending: Ending;
    try {
      const result = await this.layered(job, handler);
      // What a handler returns that has ended its job is of no use, so it need not be one that can be stored.
      ending = Job.returned(job, Job.ended(job) ? undefined : result);
    } catch (thrown) {
      ending = this.#threw(job, thrown);
    }
    return told(ending);
  }

  /** Runs the handler with the middleware around it: what they give and throw, a promise of it or at once. */
  layered(job: Job, handler: Handler): unknown {
    return this.layers.length === 0 ? handler(job) : through(this.layers, job, async () => handler(job), job.jid);
  }

  #threw(job: Job, thrown: unknown): Ending {
    let error = thrown;
    try {
      const chosen = chosenEnding(thrown);
      if (chosen !== undefined) {
        if (chosen.verb === "fail") {
          this.#failures.set(job, thrown);
        }
        return chosen;
      }
    } catch (another) {
      error = another;
    }
    const interrupted = Job.interrupted(job);
    if (interrupted?.reason === "killed") {
      return { verb: "release", fields: {}, raw: {} };
    }
    if (Job.isLost(job) && isOf(error, interrupted)) {
      // That it was lost has been told, and whatever is handed over now is refused.
      return errorEnding(error);
    }
    console.error(`manyhands: job ${job.jid} (${job.kind}) threw ${described(error)}`);
    this.#failures.set(job, error);
    const ending = errorEnding(error);
    const rule = Job.ruleOf(job, thrown) ?? this.#ownRule(job, error);
    return rule === null ? ending : ruled(job, ending, rule);
  }

  /** What the kind's own backoff says; that of the job itself comes before it, and is the core's. */
  #ownRule(job: Job, error: unknown): ErrorRule | null {
    const backoff = job.backoff === null ? this.backoffs.get(job.kind) : undefined;
    const delay_ms = backoff === undefined ? undefined : Backoff.after(backoff, job);
    return delay_ms === undefined ? null : { error, verb: "retry", fields: { delay_ms } };
  }
}

/** Thrown as it is, as fetch does, or as the cause of an AbortError, as Node's own functions do. */
function isOf(error: unknown, interrupted: JobInterrupted | null): boolean {
  return (
    error === interrupted || (error instanceof Error && error.name === "AbortError" && error.cause === interrupted)
  );
}

/** An error whose rule says what becomes of the job: grouped as without a rule. */
function ruled(job: Job, ending: Ending, { verb, fields }: ErrorRule): Ending {
  const { class: name, ...said } = ending.fields;
  return { verb, fields: { ...said, ...fields, group: failureGroup(job.kind, String(name)) }, raw: {} };
}

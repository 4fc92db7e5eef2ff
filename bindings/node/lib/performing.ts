import { chosenEnding, described, type Ending, errorEnding } from "./ending.js";
import type { Hands } from "./hands.js";
import type { RunEnd } from "./held.js";
import { Job } from "./job.js";
import { type Middleware, through } from "./middleware.js";
import type { Handler } from "./worker-options.js";

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
  /** Around each of them; the first is outermost. */
  readonly layers: Middleware[] = [];
  #listener: RunListener;

  constructor(listener: RunListener) {
    this.#listener = listener;
  }

  /** Never throws. */
  async perform(job: Job, hands: Hands): Promise<void> {
    hands.running.add(job);
    const ending = await this.run(job);
    hands.running.delete(job);
    if (!Job.ended(job)) {
      hands.handOver(job, ending);
    }
    this.over(job, ending);
  }

  /** Its run has ended so, and the outcome is on its way. */
  over(job: Job, ending: Ending): void {
    Job.letGo(job);
    if (ending.verb !== "unknown_kind") {
      this.#listener.after(job, Job.endedAs(job) ?? ending.verb);
    }
  }

  /** Runs the handler of the job; never throws. */
  async run(job: Job): Promise<Ending> {
    const handler = this.handlers.get(job.kind);
    if (handler === undefined) {
      return { verb: "unknown_kind", fields: {}, raw: {} };
    }
    this.#listener.before(job);
    try {
      const result = await through(this.layers, job, async () => handler(job), job.jid);
      // What a handler returns that has ended its job is of no use, so it need not be one that can be stored.
      return Job.returned(job, Job.ended(job) ? undefined : result);
    } catch (thrown) {
      return this.#threw(job, thrown);
    }
  }

  #threw(job: Job, thrown: unknown): Ending {
    let error = thrown;
    try {
      const chosen = chosenEnding(thrown);
      if (chosen !== undefined) {
        if (chosen.verb === "fail") {
          this.#listener.failed(job, thrown);
        }
        return chosen;
      }
    } catch (another) {
      error = another;
    }
    console.error(`manyhands: job ${job.jid} (${job.kind}) threw ${described(error)}`);
    this.#listener.failed(job, error);
    return errorEnding(error);
  }
}

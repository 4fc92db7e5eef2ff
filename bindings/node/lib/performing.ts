import { chosenEnding, described, type Ending, errorEnding } from "./ending.js";
import type { Hands } from "./hands.js";
import { Job } from "./job.js";
import type { Handler } from "./worker-options.js";

/** Runs the handlers of a worker, and hands over how they ended. */
export class Performing {
  /** By kind. */
  readonly handlers = new Map<string, Handler>();

  /** Never throws. */
  async perform(job: Job, hands: Hands): Promise<void> {
    hands.running.add(job);
    const ending = await this.#handle(job);
    hands.running.delete(job);
    if (!Job.ended(job)) {
      hands.handOver(job, ending);
    }
    Job.letGo(job);
  }

  /** Runs the handler of the job; never throws. */
  async #handle(job: Job): Promise<Ending> {
    const handler = this.handlers.get(job.kind);
    if (handler === undefined) {
      return { verb: "unknown_kind", fields: {}, raw: {} };
    }
    try {
      const result = await handler(job);
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
        return chosen;
      }
    } catch (another) {
      error = another;
    }
    console.error(`manyhands: job ${job.jid} (${job.kind}) threw ${described(error)}`);
    return errorEnding(error);
  }
}

import { ENDING_NAMES, type Ending } from "./ending.js";
import { type ErrorFields, errorOf, type Names, settled, wrongState } from "./errors.js";
import { type Holder, Job, type JobOutcome } from "./job.js";
import { jsonObject } from "./json.js";
import type { NativeClient } from "./native.js";

/** One item of the reply of an operation that ends runs or renews leases. */
interface Answer {
  readonly outcome?: JobOutcome;
  readonly lease_ms?: number;
  readonly error?: ErrorFields;
}

/** A client's way to the engine, shared by the client and what it makes: operations by name, JSON text both ways. */
export class Door implements Holder {
  constructor(readonly native: NativeClient) {}

  /** `args` is the JSON object of the operation's arguments; errors are in the `names` that the caller knows. */
  async call(operation: string, args: string, names?: Names): Promise<string> {
    return settled(() => this.native.call(operation, args), names);
  }

  /** `worker` null: under the client's own name. */
  async reserve(queue: string, limit: number, worker: string | null): Promise<Job[]> {
    const jobs = await settled(() => this.native.reserve(queue, limit, worker));
    return jobs.map((job) => Job.reserved(job, this));
  }

  async job(jid: string): Promise<Job | null> {
    const view = await settled(() => this.native.job(JSON.stringify({ jid })));
    return view === null ? null : Job.viewed(view, this);
  }

  async finish(job: Job, { verb, fields, raw }: Ending): Promise<JobOutcome> {
    const run = verb === "release" ? {} : { run_ms: Job.run(job) };
    const answer = await this.#speakFor(job, `job_${verb}`, { ...run, ...fields }, raw);
    return answer.outcome as JobOutcome;
  }

  async heartbeat(job: Job): Promise<number> {
    return (await this.#speakFor(job, "job_heartbeat", {}, {})).lease_ms as number;
  }

  async #speakFor(job: Job, operation: string, fields: object, raw: Ending["raw"]): Promise<Answer> {
    if (job.token === null) {
      throw wrongState(`job ${job.jid} is ${job.state} and in nobody's hands`, operation, job.jid);
    }
    const item = jsonObject({ jid: job.jid, token: job.token, ...fields }, raw);
    const [answer] = JSON.parse(await this.call(operation, `{"jobs":[${item}]}`, ENDING_NAMES)) as [Answer];
    if (answer.error !== undefined) {
      throw errorOf(answer.error);
    }
    return answer;
  }
}

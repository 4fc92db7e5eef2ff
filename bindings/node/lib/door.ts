import { ENDING_NAMES, type Ending } from "./ending.js";
import { type ErrorFields, errorOf, type Names, settled } from "./errors.js";
import type { Explanation } from "./explanation.js";
import { Job, type JobOutcome } from "./job.js";
import { camelCase, jsonObject } from "./json.js";
import type { NativeClient, NativeView } from "./native.js";
import { Putting } from "./putting.js";
import type { Holder } from "./run.js";

/** One item of the reply of an operation that ends runs or renews leases. */
interface Answer {
  readonly outcome?: JobOutcome;
  readonly lease_ms?: number;
  readonly error?: ErrorFields;
}

/** A client's way to the engine, shared by the client and what it makes: operations by name, JSON text both ways. */
export class Door implements Holder {
  /** Itself: what jobs need that are held through it. */
  readonly door = this;
  /** The way of puts: through the client's middleware. */
  readonly putting = new Putting(this);

  /** Another one when the command that runs the program says where the jobs are. */
  constructor(public native: NativeClient) {}

  /** `args` is the JSON object of the operation's arguments; errors are in the `names` that the caller knows. */
  async call(operation: string, args: string, names?: Names): Promise<string> {
    return settled(() => this.native.call(operation, args), names);
  }

  /** Puts the jobs of a JSON list; what became of them is one too. */
  async put(jobs: string, names: Names): Promise<string> {
    return settled(() => this.native.put(jobs), names);
  }

  /** As {@link call}, for arguments that are checked and replies that hold no user's data. */
  async ask(operation: string, fields: object, names?: Names): Promise<unknown> {
    return JSON.parse(await this.call(operation, JSON.stringify(fields), names));
  }

  /** An operation that answers one job or recurring job, or null. */
  async view(operation: string, fields: object): Promise<NativeView | null> {
    return settled(() => this.native.view(operation, JSON.stringify(fields)));
  }

  /** An operation that lists such, null for each that there is not; `rest` is what else it says. */
  async views(operation: string, fields: object): Promise<{ views: (NativeView | null)[]; rest: unknown }> {
    const { jobs, rest } = await settled(() => this.native.views(operation, JSON.stringify(fields)));
    return { views: jobs, rest: JSON.parse(rest) };
  }

  /** `worker` null: under the client's own name. */
  async reserve(queue: string, limit: number, worker: string | null): Promise<Job[]> {
    const jobs = await settled(() => this.native.reserve(queue, limit, worker));
    return jobs.map((job) => Job.reserved(job, this));
  }

  async job(jid: string): Promise<Job | null> {
    return this.#job(await this.view("job_get", { jid }));
  }

  /** An operation that lists jobs. What it leaves out because its reply was full is asked for again. */
  async jobs(operation: string, fields: object): Promise<(Job | null)[]> {
    let { views, rest } = await this.views(operation, fields);
    const jobs = views.map((view) => this.#job(view));
    for (let jids = left(rest); jids.length > 0; jids = left(rest)) {
      ({ views, rest } = await this.views("job_get_many", { jids }));
      jobs.push(...views.map((view) => this.#job(view)));
    }
    return jobs;
  }

  async explain(jid: string): Promise<Explanation | null> {
    return camelCase(await this.ask("job_explain", { jid })) as Explanation | null;
  }

  async finish(job: Job, { verb, fields, raw }: Ending): Promise<JobOutcome> {
    const run = verb === "release" ? {} : { run_ms: Job.run(job) };
    const answer = await this.#speakFor(job, `job_${verb}`, { ...run, ...fields }, raw);
    return answer.outcome as JobOutcome;
  }

  async heartbeat(job: Job): Promise<number> {
    return (await this.#speakFor(job, "job_heartbeat", {}, {})).lease_ms as number;
  }

  /** The engine knows already. */
  drop(): void {}

  async #speakFor(job: Job, operation: string, fields: object, raw: Ending["raw"]): Promise<Answer> {
    const item = jsonObject({ ...Job.lease(job, operation), ...fields }, raw);
    const [answer] = JSON.parse(await this.call(operation, `{"jobs":[${item}]}`, ENDING_NAMES)) as [Answer];
    if (answer.error !== undefined) {
      throw errorOf(answer.error);
    }
    return answer;
  }

  #job(view: NativeView | null): Job | null {
    return view === null ? null : Job.viewed(view, this);
  }
}

function left(rest: unknown): string[] {
  return (rest as { rest: string[] }).rest;
}

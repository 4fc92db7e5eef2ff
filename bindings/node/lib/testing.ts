/**
 * Manyhands in tests: `import { drain, inline, perform, recordedPuts } from "manyhands/testing"`.
 *
 * {@link perform} and {@link recordedPuts} need no server; the others work on a real one, for which `embedded:` and a namespace of the
 * test's own will do.
 */

import { AssertionError } from "node:assert";
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { Backoff } from "./backoff.js";
import { Client } from "./client.js";
import { type Ending, errorEnding, failureGroup } from "./ending.js";
import { InvalidArgument, invalidArgument } from "./errors.js";
import { Job } from "./job.js";
import { toJson } from "./json.js";
import { coreOptions } from "./options.js";
import { checkPuts, jobOptions, type Placed, PUT_OPTIONS, type PutOptions } from "./put.js";
import { itemsJson, PUT, type Put, type PutMiddleware } from "./putting.js";
import { Worker } from "./worker.js";

/** What is in force until it is ended: by `stop()`, or by leaving the block of a `using`. */
export interface Mode {
  stop(): void;
  [Symbol.dispose](): void;
}

/** Options of {@link drain} and {@link inline}. */
export interface DrainOptions {
  /** Names or patterns of queues, as those of a worker: {@link WorkerOptions.queues}. Default: the worker's. */
  queues?: readonly string[];
  /** Whether an error that a handler throws comes out, or is only its job's affair, as for a running worker. Default true. */
  throws?: boolean;
}

/** How long a job waits after an error when nobody says: as with any worker, but never longer or shorter at random. */
const BACKOFF = Backoff.exponential(1_000, { jitter: 0 });

const DRAIN_OPTIONS = { queues: "queues", throws: "throws" };

/**
 * Run a job that was built through the worker's middleware and its handler, without a server. No hook hears of it.
 *
 * @param job from {@link Job.build}, or `build` of a job class.
 * @returns what they return.
 * @throws InvalidArgument when the worker has no handler for its kind; what they throw.
 */
export async function perform(worker: Worker, job: Job): Promise<unknown> {
  const { performing } = Worker.parts(worker);
  if (!(job instanceof Job)) {
    throw invalidArgument(`job must be a Job of this package, not ${job === null ? "null" : typeof job}`);
  }
  const handler = performing.handlers.get(job.kind);
  if (handler === undefined) {
    throw invalidArgument(`the worker has no handler for kind ${job.kind}`);
  }
  return performing.layered(job, handler);
}

/**
 * Perform all jobs that may run now of the worker's queues, one by one in this program, with its handlers and middleware; those
 * too that they put meanwhile. Scheduled jobs are left: the setting `test-clock` can make them due.
 *
 * Outcomes are stored as a running worker stores them; a job without a handler fails in the group `unknown-kind:<kind>`. An
 * error that a handler throws is thrown here as well, after its job was stored for its next run; later jobs are then left to the
 * next drain. The worker itself is not run.
 *
 * @returns how many were performed.
 * @throws InvalidArgument for bad queues and an unknown option; what a handler throws, but Fail, Retry and Snooze.
 */
export async function drain(worker: Worker, options: DrainOptions = {}): Promise<number> {
  const { client, performing } = Worker.parts(worker);
  const { queues, throws = true } = coreOptions(options, DRAIN_OPTIONS, null);
  const queuesNow = Worker.lookUp(worker, queues);
  for (let performed = 0; ; performed += 1) {
    const job = await nextOf(client, await queuesNow());
    if (job === undefined) {
      return performed;
    }
    const ending = await performing.run(job, (end) => end);
    const refused = Job.ended(job) ? undefined : await settle(client, job, ending);
    performing.over(job, ending);
    const failed = refused ?? performing.failed(job);
    if (throws && failed !== undefined) {
      throw failed.error;
    }
  }
}

/**
 * From now on a put of the worker's client performs at once: it resolves when its job, and what that has put, is performed by
 * {@link drain}. A job that may not run yet is left as it is.
 *
 * @throws the put then throws what the handler throws.
 */
export function inline(worker: Worker, options: DrainOptions = {}): Mode {
  return during(Worker.parts(worker).client, "outermost", async (_, next) => {
    const placed = await next();
    await drain(worker, options);
    return placed;
  });
}

/** A put that was recorded instead of done. Data as they would come to the handler. */
export interface RecordedPut extends Readonly<Put> {
  readonly jid: string;
}

/** Which puts are meant: those that agree in all that is given. */
export interface ExpectedPut {
  kind?: string;
  queue?: string;
  /** The whole of it, deeply equal. */
  data?: unknown;
  /** Those named here, as jobs carry them: `[5]` is `Backoff.fixed(5)`. Others may be there; one that is undefined may not. */
  options?: Readonly<Record<string, unknown>>;
}

/** The puts of a client since {@link recordedPuts}. */
export interface RecordedPuts extends Mode {
  /** Oldest first. */
  readonly puts: readonly RecordedPut[];
  /**
   * There is such a put.
   *
   * @returns the first.
   * @throws AssertionError that says what was put; InvalidArgument for options that no put has.
   */
  assertPut(expected: ExpectedPut): RecordedPut;
  /**
   * There is none.
   *
   * @throws AssertionError that says what was put; InvalidArgument for options that no put has.
   */
  assertNotPut(expected?: ExpectedPut): void;
  /** Forgets those so far. */
  clear(): void;
}

/**
 * From now on puts of this client are recorded, not done: they resolve as if all were new, and nothing is sent to a server.
 * What is wrong with one is refused as ever, and the client's middleware is around it.
 */
export function recordedPuts(client: Client): RecordedPuts {
  const puts: RecordedPut[] = [];
  const mode = during(client, "innermost", async (asked) => {
    checkPuts(itemsJson(asked), PUT_OPTIONS, PUT);
    const recorded = asked.map(record);
    puts.push(...recorded);
    return recorded.map(({ jid }): Placed => ({ jid, outcome: "put", satisfied: [] }));
  });
  const found = ({ options = {}, ...expected }: ExpectedPut) => {
    const wanted = carried(options as PutOptions, options);
    const all = (put: RecordedPut) => agrees(put, expected) && isDeepStrictEqual(carried(put.options, options), wanted);
    return puts.find(all);
  };
  return {
    ...mode,
    puts,
    assertPut(expected) {
      const put = found(expected);
      if (put === undefined) {
        throw failed("no such put", expected, puts, this.assertPut);
      }
      return put;
    },
    assertNotPut(expected = {}) {
      if (found(expected) !== undefined) {
        throw failed("there is such a put", expected, puts, this.assertNotPut);
      }
    },
    clear: () => void puts.splice(0),
  };
}

function during(client: Client, where: "outermost" | "innermost", layer: PutMiddleware): Mode {
  const { layers } = Client.door(client).putting;
  layers.splice(where === "outermost" ? 0 : layers.length, 0, layer);
  const stop = () => {
    const place = layers.indexOf(layer);
    if (place >= 0) {
      layers.splice(place, 1);
    }
  };
  return { stop, [Symbol.dispose]: stop };
}

async function nextOf(client: Client, queues: readonly string[]): Promise<Job | undefined> {
  for (const name of queues) {
    const [job] = await client.queue(name).reserve();
    if (job !== undefined) {
      return job;
    }
  }
  return undefined;
}

/** Stores how its run ended; what was refused of that, such as a result that is too large, as an error of its handler. */
async function settle(client: Client, job: Job, ending: Ending): Promise<{ readonly error: unknown } | undefined> {
  const door = Client.door(client);
  try {
    await door.finish(job, asOperation(job, ending));
    return undefined;
  } catch (error) {
    if (!(error instanceof InvalidArgument)) {
      throw error;
    }
    await door.finish(job, asOperation(job, errorEnding(error)));
    return { error };
  }
}

/** What the worker runtime would make of it. */
function asOperation(job: Job, ending: Ending): Ending {
  if (ending.verb === "unknown_kind") {
    return { verb: "fail", fields: { group: failureGroup("unknown-kind", job.kind) }, raw: {} };
  }
  if (ending.verb !== "error") {
    return ending;
  }
  const { class: name, ...said } = ending.fields;
  const delay_ms = Backoff.after(job.backoff ?? BACKOFF, job);
  return { verb: "retry", fields: { ...said, delay_ms, group: failureGroup(job.kind, String(name)) }, raw: {} };
}

function record({ queue, kind, data, options }: Put): RecordedPut {
  const jid = options.jid ?? randomUUID().replaceAll("-", "");
  return { jid, queue, kind, data: JSON.parse(toJson(data, "data")), options: { ...options } };
}

function agrees(put: RecordedPut, { kind, queue, ...others }: Omit<ExpectedPut, "options">): boolean {
  return (
    (kind === undefined || kind === put.kind) &&
    (queue === undefined || queue === put.queue) &&
    (!("data" in others) || isDeepStrictEqual(others.data, put.data))
  );
}

/** As the job has them, of these options those that are named: `[5]` and `Backoff.fixed(5)` are one, as are `5.4` ms and `5`. */
function carried(options: PutOptions, named: object): Record<string, unknown> {
  const fields = jobOptions(options, PUT_OPTIONS, null);
  const names = Object.keys(named) as (keyof PutOptions)[];
  return Object.fromEntries(names.map((name) => [name, fields[PUT_OPTIONS[name]]]));
}

function failed(what: string, expected: ExpectedPut, actual: readonly RecordedPut[], from: unknown): AssertionError {
  const listed = actual.map(({ queue, kind, data, options }) => JSON.stringify({ queue, kind, data, options }));
  const message = `${what} as ${JSON.stringify(expected)}; there are ${listed.length}: ${listed.join(", ")}`;
  return new AssertionError({ message, expected, actual, operator: "put", stackStartFn: from as () => void });
}

import type { Backoff } from "./backoff.js";
import { Client } from "./client.js";
import { invalidArgument } from "./errors.js";
import { type BuildOptions, Job } from "./job.js";
import type { RawJson } from "./json.js";
import { callable, coreOptions, optionsObject, text } from "./options.js";
import { type Placed, type PutOptions, SHARED_OPTIONS, type SharedOptions } from "./put.js";
import type { Queue } from "./queue.js";
import type { Recurring, RecurringOptions } from "./recurring.js";
import { type Handler, LIMITS, limitsOf, type PerformOptions } from "./worker-options.js";

/** What {@link defineJob} is told: the kind, and options that its puts have unless they say otherwise. */
export interface JobDefaults extends Omit<SharedOptions, keyof PerformOptions>, PerformOptions {
  /** Names the handler, 1 to 255 bytes. */
  kind: string;
  /** Where it is put. Default: each put names its queue. */
  queue?: string;
  /** Milliseconds. Before the job may run, 0 or more, a fraction is rounded. Default 0. */
  delay?: number;
}

const DEFAULTS = { kind: "kind", queue: "queue", ...SHARED_OPTIONS, delay: "delay_ms", ...LIMITS };

/** Options of {@link JobClass.put}: each takes the place of the class's own. */
export interface ClassPutOptions extends PutOptions {
  /** Default: the class's queue. */
  queue?: string;
}

/** Options of {@link JobClass.putRecurring}: each takes the place of the class's own. */
export interface ClassRecurringOptions extends RecurringOptions {
  /** Default: the class's queue. */
  queue?: string;
}

/** The data of a put: it may be left out where null will do. */
type WithData<Data, Options> = null extends Data
  ? [data?: Data | RawJson, options?: Options]
  : [data: Data | RawJson, options?: Options];

/** A kind of jobs with its handler and the options of its puts. Made by {@link defineJob}. */
export class JobClass<Data = unknown> {
  /** Names the handler. */
  readonly kind: string;
  /** What performs its jobs: {@link Worker.perform} takes it from here. */
  readonly handler: Handler<Data>;
  /** What its puts have unless they say otherwise. */
  readonly defaults: Readonly<Omit<JobDefaults, "kind" | "timeout" | "backoff">>;
  /** Milliseconds. How long the handler may run, unless a put says otherwise; undefined: as the worker says. */
  readonly timeout: number | undefined;
  /** How long its jobs wait after an error, unless their puts say otherwise; undefined: 1 s to 1 h, doubling. */
  readonly backoff: Backoff | undefined;

  /** @internal */
  constructor({ kind, timeout, backoff, ...defaults }: JobDefaults, handler: Handler<Data>) {
    this.kind = kind;
    const limits = limitsOf(given({ timeout, backoff }) as PerformOptions);
    this.timeout = limits.timeout;
    this.backoff = limits.backoff;
    this.defaults = defaults;
    this.handler = handler;
  }

  /**
   * Place a job of this kind, as {@link Queue.put} does.
   *
   * @param data the payload.
   * @param options take the place of the class's own; lists are not merged.
   * @throws InvalidArgument when neither names a queue; and what {@link Queue.put} throws.
   *
   * Source: core/src/engine/ops/queue_put.lua
   */
  async put(client: Client, ...rest: WithData<Data, ClassPutOptions>): Promise<Placed> {
    const operation = "queue_put";
    const [data, options = {}] = rest;
    const { queue, ...others } = { ...this.defaults, ...given(optionsObject(options, operation)) };
    return this.#queue(client, queue, operation).put(this.kind, rest.length === 0 ? null : data, others);
  }

  /**
   * Put a job of this kind every interval from now on, as {@link Queue.putRecurring} does.
   *
   * ```js
   * await count.putRecurring(client, null, 3_600_000, { jid: "hourly" });
   * ```
   *
   * @param data the payload.
   * @param interval Milliseconds. 1 or more, a fraction is rounded.
   * @param options take the place of the class's own, of which the delay is not for recurring jobs: at least a `jid`, or there
   *   is one more each time. Lists are not merged.
   * @throws InvalidArgument when neither names a queue; and what {@link Queue.putRecurring} throws.
   *
   * Source: core/src/engine/ops/recurring_put.lua
   */
  async putRecurring(
    client: Client,
    data: Data | RawJson,
    interval: number,
    options: ClassRecurringOptions = {},
  ): Promise<Recurring<Data>> {
    const operation = "recurring_put";
    const { delay: _, ...defaults } = this.defaults;
    const { queue, ...others } = { ...defaults, ...given(optionsObject(options, operation)) };
    return this.#queue(client, queue, operation).putRecurring<Data>(this.kind, data, interval, others);
  }

  /**
   * Make a job of this kind without a server, to test the handler with: `welcome.handler(welcome.build({ to: "ada" }))`.
   *
   * @throws InvalidArgument for what a put would refuse.
   */
  build(...[data, options = {}]: WithData<Data, BuildOptions>): Job<Data> {
    const { delay: _, ...defaults } = this.defaults;
    const own = given(optionsObject(options, null));
    return Job.build<Data>(this.kind, data === undefined ? null : data, { ...defaults, ...own });
  }

  #queue(client: Client, name: string | undefined, operation: string): Queue {
    Client.door(client);
    if (name === undefined) {
      throw invalidArgument(`queue is missing: neither this put nor the class of ${this.kind} names one`, operation);
    }
    return client.queue(name);
  }
}

/**
 * Say once what jobs of a kind are: their data, their handler, and the options of their puts.
 *
 * ```js
 * export const welcome = defineJob({ kind: "welcome", queue: "mail", retries: 3 }, async (job) => send(job.data.to));
 *
 * worker.perform(welcome);
 * await welcome.put(client, { to: "ada@example.org" }, { delay: 5000 });
 * ```
 *
 * @typeParam Data what `data` is to be, for the handler and for puts: `defineJob<{ to: string }>(…)`.
 * @throws InvalidArgument for a bad kind, an unknown option, and a handler that is not a function.
 */
export function defineJob<Data = unknown>(defaults: JobDefaults, handler: Handler<Data>): JobClass<Data> {
  const { backoff: _, ...named } = optionsObject(defaults, null);
  coreOptions(named, DEFAULTS, null);
  const kind = text(defaults.kind, "kind");
  return new JobClass<Data>({ ...defaults, kind }, callable(handler, `handler of ${kind}`));
}

/** Those that are not undefined: an undefined option is one that was not given. */
function given<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}

import { CHECK_OPTIONS, type CheckOptions, type Violation, violations } from "./check.js";
import { CLIENT_OPTIONS, type ClientOptions, SWEEP_OPTIONS, type SweepOptions, type Swept } from "./client-options.js";
import { Config } from "./config.js";
import { Door } from "./door.js";
import { invalidArgument, settled, sync } from "./errors.js";
import { EVENTS_OPTIONS, Events, type EventsOptions } from "./events.js";
import type { Explanation } from "./explanation.js";
import { UNFAIL_OPTIONS, type UnfailOptions } from "./failure.js";
import type { Job } from "./job.js";
import { camelCase, toJson } from "./json.js";
import { Listings } from "./listings.js";
import { type NativeClient, native } from "./native.js";
import { callable, coreOptions, text, texts } from "./options.js";
import { Patterns } from "./patterns.js";
import type { PutMiddleware } from "./putting.js";
import { Queue } from "./queue.js";
import { Recurring } from "./recurring.js";
import { Throttle } from "./throttle.js";

/**
 * A connection to one namespace, with the operations.
 *
 * Connects at the first call. Calls run on threads of their own, so they never occupy libuv's, up to eight of a client at
 * once; any number may be under way. A call under way keeps the process alive; an idle client does not.
 *
 * ```js
 * const client = new Client("redis://localhost");
 * await client.queue("mail").put("welcome", { to: "ada@example.org" });
 * await client.close();
 * ```
 */
export class Client extends Listings {
  /** The settings of this namespace. */
  readonly config: Config;
  /** The saved lists of queue patterns. */
  readonly patterns: Patterns;
  #door: Door;
  #options: Record<string, unknown>;

  /**
   * Checks the arguments; connects to nothing yet.
   *
   * @param url `redis://`, `rediss://` (TLS, with `?ca=FILE&cert=FILE&key=FILE` as needed; docs/urls.md), `unix://` or
   *   `embedded:DIR`. Default: the environment's MANYHANDS_URL, else REDIS_URL, else `embedded:.manyhands`, a private Redis
   *   server in that folder.
   * @throws UnsupportedUrl for another scheme; InvalidArgument for a bad URL, a file of it that cannot be used, namespace or
   *   timeout and an unknown option.
   */
  constructor(url?: string | null, options: ClientOptions = {}) {
    const address = url === undefined || url === null ? null : text(url, "url");
    const own = coreOptions(options, CLIENT_OPTIONS, null);
    const door = new Door(open(address, own));
    super(door);
    this.#options = own;
    this.#door = door;
    this.#door.putting.listener = {
      before: (puts) => this.tell("beforePut", puts),
      after: (puts, placed) => this.tell("afterPut", puts, placed),
    };
    this.config = new Config(this.#door);
    this.patterns = new Patterns(this.#door);
  }

  /** Where it connects to, complete; with the password, if one was given. */
  get url(): string {
    return sync(() => this.#door.native.url);
  }

  /** What separates this application's jobs from others in the same Redis. */
  get namespace(): string {
    return sync(() => this.#door.native.namespace);
  }

  /**
   * The queue of this name. Costs nothing; a queue exists as soon as a job was put into it.
   *
   * @param name 1 to 255 bytes, no control characters; checked by the operations.
   */
  queue(name: string): Queue {
    return new Queue(this.#door, text(name, "queue"));
  }

  /**
   * Run code around each put of this client, those of {@link Queue.put}, {@link Queue.putMany} and {@link JobClass.put}. The first
   * that is named is outermost.
   *
   * ```js
   * client.use(async (puts, next) => {
   *   for (const put of puts) put.options.tags = [...(put.options.tags ?? []), tenant];
   *   return next();
   * });
   * ```
   *
   * @throws InvalidArgument for middleware that is not a function.
   */
  use(middleware: PutMiddleware): this {
    this.#door.putting.layers.push(callable(middleware, "middleware"));
    return this;
  }

  /**
   * Look a job up.
   *
   * @param jid the job's id.
   * @returns the job as it is now, or null when there is none of this jid (any more).
   *
   * Source: core/src/engine/ops/job_get.lua
   */
  async job<Data = unknown>(jid: string): Promise<Job<Data> | null> {
    return (await this.#door.job(text(jid, "jid", "job_get"))) as Job<Data> | null;
  }

  /**
   * Look several jobs up at once.
   *
   * @param jids at most 250.
   * @returns the jobs in the order asked, null for each that there is not.
   * @throws InvalidArgument for bad jids.
   *
   * Source: core/src/engine/ops/job_get_many.lua
   */
  async jobs<Data = unknown>(jids: readonly string[]): Promise<(Job<Data> | null)[]> {
    const operation = "job_get_many";
    return (await this.#door.jobs(operation, { jids: texts(jids, "jids", operation) })) as (Job<Data> | null)[];
  }

  /**
   * Jobs disappear, in whatever state they are. Who runs one loses it.
   *
   * @param jids 1 to 250.
   * @returns those that were there.
   * @throws HasDependents when a job waits for one of them and is not cancelled with it: then none is.
   *
   * Source: core/src/engine/ops/job_cancel.lua
   */
  async cancel(jids: readonly string[]): Promise<string[]> {
    return (await this.#ofJids("job_cancel", jids)) as string[];
  }

  /**
   * From now on events tell what happens to these jobs: {@link events}. Jids without a job are passed over.
   *
   * @param jids 1 to 250.
   * @returns how many were not tracked before.
   *
   * Source: core/src/engine/ops/job_track.lua
   */
  async track(jids: readonly string[]): Promise<number> {
    return (await this.#ofJids("job_track", jids)) as number;
  }

  /**
   * Events no longer tell of these jobs.
   *
   * @param jids 1 to 250.
   * @returns how many were tracked.
   *
   * Source: core/src/engine/ops/job_untrack.lua
   */
  async untrack(jids: readonly string[]): Promise<number> {
    return (await this.#ofJids("job_untrack", jids)) as number;
  }

  /**
   * Why a job is not running, or what has become of it.
   *
   * @returns null when there is no such job.
   *
   * Source: core/src/engine/ops/job_explain.lua
   */
  async explain(jid: string): Promise<Explanation | null> {
    return this.#door.explain(text(jid, "jid", "job_explain"));
  }

  /**
   * Let jobs of a failure group wait again, those first that failed first: at the end of their line, with all their retries.
   *
   * @returns how many; fewer than `limit` when the group is empty now.
   * @throws InvalidArgument for a bad group and a bad or unknown option.
   *
   * Source: core/src/engine/ops/failure_unfail.lua
   */
  async unfail(group: string, options: UnfailOptions = {}): Promise<number> {
    const operation = "failure_unfail";
    const own = coreOptions(options, UNFAIL_OPTIONS, operation);
    return (await this.#door.ask(operation, { group: text(group, "group", operation), ...own })) as number;
  }

  /**
   * Ask a worker to take no more jobs for good (`quiet`) or for now (`pause`), to take them again (`resume`), or to end when its
   * jobs have (`stop`). It learns it within a second.
   *
   * @param worker its name, or `*`: all that were heard of within a minute, at most 1000.
   * @returns how many will learn it: 0 when the one named is not known, or is lost.
   *
   * Source: core/src/engine/ops/worker_order.lua
   */
  async order(worker: string, order: "quiet" | "pause" | "resume" | "stop"): Promise<number> {
    const operation = "worker_order";
    const args = { worker: text(worker, "worker", operation), order: text(order, "order", operation) };
    return (await this.#door.ask(operation, args)) as number;
  }

  /**
   * Drop workers from the list. Jobs that they have in hand go on, or are handed on when their leases end; a worker that lives
   * is back with its next pulse.
   *
   * @param workers 1 to 250 names.
   * @returns how many were known.
   *
   * Source: core/src/engine/ops/worker_deregister.lua
   */
  async deregister(workers: readonly string[]): Promise<number> {
    const operation = "worker_deregister";
    return (await this.#door.ask(operation, { workers: texts(workers, "workers", operation) })) as number;
  }

  /**
   * The throttle of this name. Costs nothing; without a limit it limits nothing.
   *
   * @param id 1 to 255 bytes, not beginning with `queue:`; checked by the operations. A queue's own is {@link Queue.throttle}.
   */
  throttle(id: string): Throttle {
    return new Throttle(this.#door, { id: text(id, "id") });
  }

  /**
   * Look a recurring job up.
   *
   * @returns null when there is none of this jid (any more).
   *
   * Source: core/src/engine/ops/recurring_get.lua
   */
  async recurring<Data = unknown>(jid: string): Promise<Recurring<Data> | null> {
    const operation = "recurring_get";
    const view = await this.#door.view(operation, { jid: text(jid, "jid", operation) });
    return view === null ? null : new Recurring<Data>(view, this.#door);
  }

  /**
   * Hear what happens to jobs, on a connection of its own: to tracked ones ({@link track}), or to all when the setting `events`
   * is `all`. Subscribes at once; {@link Events.ready} says when nothing is missed any more.
   *
   * ```js
   * for await (const { jid, event } of client.events({ what: ["completed", "failed"] })) console.log(jid, event);
   * ```
   *
   * @throws InvalidArgument for an event that there is not, and a bad or unknown option.
   *
   * Source: core/src/client/events/mod.rs
   */
  events(options: EventsOptions = {}): Events {
    const operation = "events_open";
    const coreText = JSON.stringify(coreOptions(options, EVENTS_OPTIONS, operation));
    return new Events(sync(() => this.#door.native.events(coreText), EVENTS_OPTIONS));
  }

  /**
   * One bounded step of what happens even when no worker asks: leases end, scheduled jobs become due, what is old is forgotten.
   * Workers do this by themselves; for programs that use none.
   *
   * @throws InvalidArgument for a bad or unknown option.
   *
   * Source: core/src/engine/ops/sweep.lua
   */
  async sweep(options: SweepOptions = {}): Promise<Swept> {
    const operation = "sweep";
    return camelCase(await this.#door.ask(operation, coreOptions(options, SWEEP_OPTIONS, operation))) as Swept;
  }

  /**
   * Whether everything in the namespace agrees with the jobs' records: looks at all of it, by bounded steps, and gives what does
   * not. Jobs may be put and performed meanwhile.
   *
   * ```js
   * for await (const { rule, jid, detail } of client.check({ repair: true })) console.log(rule, jid, detail);
   * ```
   *
   * @throws InvalidArgument for a bad or unknown option.
   *
   * Source: core/src/engine/ops/check.lua
   */
  check(options: CheckOptions = {}): AsyncGenerator<Violation, void, void> {
    return violations(this.#door, coreOptions(options, CHECK_OPTIONS, "check"));
  }

  /**
   * Any operation by its name: the door that the methods use too.
   *
   * Names and units are those of the core (`delay_ms`), not of this package.
   *
   * @param operation for example `queue_put`.
   * @param args the operation's arguments: an object, or RawJson. Default: none.
   * @returns the operation's reply. Whole numbers beyond 2^53 lose digits; {@link callRaw} keeps them.
   * @throws UnknownOperation; InvalidArgument for arguments that the operation does not take; what the operation throws.
   */
  async call(operation: string, args: unknown = {}): Promise<unknown> {
    return JSON.parse(await this.callRaw(operation, args));
  }

  /** As {@link call}, but the reply is its JSON text. */
  async callRaw(operation: string, args: unknown = {}): Promise<string> {
    const name = text(operation, "operation");
    const json = toJson(args, "args", name);
    return this.#door.call(name, json);
  }

  /** Close the connections. Later calls are refused with Closed; calls under way end by themselves. Safe to repeat. */
  async close(): Promise<void> {
    await settled(() => this.#door.native.close());
  }

  /** As {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #ofJids(operation: string, jids: readonly string[]): Promise<unknown> {
    return this.#door.ask(operation, { jids: texts(jids, "jids", operation) });
  }

  /** @internal For the command, which may be told where the jobs are: all that was made of the client goes there. */
  static redirect(client: Client, url: string | null, namespace: string | null): void {
    if (url !== null || namespace !== null) {
      const options = namespace === null ? client.#options : { ...client.#options, namespace };
      client.#door.native = open(url ?? client.url, options);
    }
  }

  /** @internal For {@link Worker}, whose native half is opened on the client's. */
  static door(client: Client): Door {
    if (!(client instanceof Client)) {
      throw invalidArgument("client must be a Client of this package");
    }
    return client.#door;
  }
}

function open(url: string | null, options: Record<string, unknown>): NativeClient {
  return sync(() => new native.Client(url, JSON.stringify(options)), CLIENT_OPTIONS);
}

import { Config } from "./config.js";
import { Door } from "./door.js";
import { settled, sync } from "./errors.js";
import type { Job } from "./job.js";
import { toJson } from "./json.js";
import { type NativeClient, native } from "./native.js";
import { coreOptions, text } from "./options.js";
import { Queue } from "./queue.js";

/** Options of {@link Client}. */
export interface ClientOptions {
  /** What separates this application's jobs from others in the same Redis: letters, digits, `_`, `-`, 1 to 64. Default `mh`. */
  namespace?: string;
  /** Milliseconds. How long a call is repeated while Redis does not answer. 1 to 600,000. Default 60,000. */
  timeout?: number;
  /** Whether a newer engine may replace the one loaded in Redis: `auto` or `manual`. Default: `auto` for
   * `embedded:` and an empty server, else `manual`. */
  engineUpgrade?: "auto" | "manual";
}

const CLIENT_OPTIONS = { namespace: "namespace", timeout: "timeout_ms", engineUpgrade: "engine_upgrade" };

/**
 * A connection to one namespace, with the operations.
 *
 * Connects at the first call. Calls run on a few threads of their own, so they never occupy libuv's; any number may be
 * under way at once. A call under way keeps the process alive; an idle client does not.
 *
 * ```js
 * const client = new Client("redis://localhost");
 * await client.queue("mail").put("welcome", { to: "ada@example.org" });
 * await client.close();
 * ```
 */
export class Client {
  /** The settings of this namespace. */
  readonly config: Config;
  #door: Door;

  /**
   * Checks the arguments; connects to nothing yet.
   *
   * @param url `redis://`, `unix://` or `embedded:DIR`. Default: the environment's MANYHANDS_URL, else REDIS_URL, else
   *   `embedded:.manyhands`, a private Redis server in that folder.
   * @throws UnsupportedUrl for another scheme; InvalidArgument for a bad URL, namespace or timeout and an unknown option.
   */
  constructor(url?: string | null, options: ClientOptions = {}) {
    const address = url === undefined || url === null ? null : text(url, "url");
    const coreText = JSON.stringify(coreOptions(options, CLIENT_OPTIONS, null));
    this.#door = new Door(sync(() => new native.Client(address, coreText), CLIENT_OPTIONS));
    this.config = new Config(this.#door);
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

  /** @internal For {@link Worker}, whose native half is opened on the client's. */
  static native(client: Client): NativeClient {
    return client.#door.native;
  }
}

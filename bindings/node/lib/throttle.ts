import type { Door } from "./door.js";
import { invalidArgument } from "./errors.js";
import { camelCase } from "./json.js";
import { coreOptions, plain, text } from "./options.js";
import { type JidPage, PAGE_OPTIONS, type PageOptions } from "./page.js";

/** A throttle at one moment. */
export interface ThrottleCounts {
  /** Its name; null for a queue's own. */
  readonly id: string | null;
  /** The queue whose own it is, or null. */
  readonly queue: string | null;
  /** How many jobs may run at once; null when there is no limit. */
  readonly limit: number | null;
  /** How many jobs hold it now. */
  readonly held: number;
  /** How many jobs wait for it. */
  readonly pending: number;
  /** Milliseconds. How long the limit still holds; null for good. */
  readonly expires: number | null;
}

/** Options of {@link Throttle.set}. */
export interface ThrottleOptions {
  /** Milliseconds. How long the limit holds. Default: for good. */
  expires?: number;
}

const THROTTLE_OPTIONS = { expires: "expires_ms" };

/**
 * A named limit on how many jobs run at once, whatever their queues; or a queue's own, for all jobs of that queue.
 *
 * Made by {@link Client.throttle} and {@link Queue.throttle}; costs nothing. Jobs name theirs at put, by the option `throttles`.
 */
export class Throttle {
  /** Its name; null for a queue's own. */
  readonly id: string | null;
  /** The queue whose own it is, or null. */
  readonly queue: string | null;
  #door: Door;
  #name: { id: string } | { queue: string };

  /** @internal */
  constructor(door: Door, name: { id: string } | { queue: string }) {
    this.#door = door;
    this.#name = name;
    this.id = "id" in name ? name.id : null;
    this.queue = "queue" in name ? name.queue : null;
  }

  /**
   * Its limit, and how many jobs hold it and wait for it.
   *
   * Source: core/src/engine/ops/throttle_get.lua
   */
  async counts(): Promise<ThrottleCounts> {
    return camelCase(await this.#ask("throttle_get", {})) as ThrottleCounts;
  }

  /** How many jobs may run at once; null when there is no limit. See {@link counts}. */
  async limit(): Promise<number | null> {
    return (await this.counts()).limit;
  }

  /** How many jobs hold it now. See {@link counts}. */
  async held(): Promise<number> {
    return (await this.counts()).held;
  }

  /**
   * Limit how many jobs run at once, from now on. A lower limit lets running jobs go on.
   *
   * @param limit 0 or more; 0 lets none run.
   * @throws InvalidArgument for a bad limit and a bad or unknown option.
   *
   * Source: core/src/engine/ops/throttle_set.lua
   */
  async set(limit: number, options: ThrottleOptions = {}): Promise<void> {
    const operation = "throttle_set";
    const own = coreOptions(options, THROTTLE_OPTIONS, operation);
    await this.#ask(operation, { limit: plain(limit, "limit", operation), ...own });
  }

  /**
   * Take the limit away. Jobs that waited for it wait in their queues again.
   *
   * @returns false when there was none.
   *
   * Source: core/src/engine/ops/throttle_delete.lua
   */
  async delete(): Promise<boolean> {
    return (await this.#ask("throttle_delete", {})) === 1;
  }

  /**
   * The jobs that hold it, who began first before others.
   *
   * Source: core/src/engine/ops/throttle_holders.lua
   */
  async holders(page: PageOptions = {}): Promise<JidPage> {
    const operation = "throttle_holders";
    return (await this.#ask(operation, coreOptions(page, PAGE_OPTIONS, operation))) as JidPage;
  }

  /**
   * The jobs that wait for it, next first.
   *
   * Source: core/src/engine/ops/throttle_pending.lua
   */
  async pending(page: PageOptions = {}): Promise<JidPage> {
    const operation = "throttle_pending";
    return (await this.#ask(operation, coreOptions(page, PAGE_OPTIONS, operation))) as JidPage;
  }

  /**
   * Take it off a job, which then neither holds it nor waits for it.
   *
   * @param jid the job.
   * @returns false when the job did not have it.
   * @throws JobNotFound; InvalidArgument for a queue's own, which a job leaves with its queue.
   *
   * Source: core/src/engine/ops/throttle_release.lua
   */
  async release(jid: string): Promise<boolean> {
    const operation = "throttle_release";
    if (this.queue !== null) {
      throw invalidArgument(`queue ${this.queue} keeps its own throttle on all its jobs: requeue the job`, operation);
    }
    return (await this.#ask(operation, { jid: text(jid, "jid", operation) })) === 1;
  }

  async #ask(operation: string, fields: object): Promise<unknown> {
    return this.#door.ask(operation, { ...this.#name, ...fields }, THROTTLE_OPTIONS);
  }
}

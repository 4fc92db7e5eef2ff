import type { Door } from "./door.js";
import { jsonObject, toJson } from "./json.js";
import { coreOptions, text } from "./options.js";

/** Options of {@link Config.get}, {@link Config.set} and {@link Config.unset}. */
export interface ConfigOptions {
  /** The queue whose own setting is meant; for `heartbeat` and `grace-period` only. Default: the setting for all. */
  queue?: string;
}

const CONFIG_OPTIONS = { queue: "queue" };

/** All settings, by name. */
export interface Settings {
  /** What is in force for all queues. */
  readonly values: Readonly<Record<string, number | string>>;
  readonly defaults: Readonly<Record<string, number | string>>;
  /** By queue, what it has of its own. */
  readonly queues: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/**
 * The settings of a namespace, kept in Redis and the same for all its clients. Spans are milliseconds.
 *
 * `heartbeat` (60,000), `grace-period` (10,000), `jobs-history` (7 days), `jobs-history-count` (50,000),
 * `stats-history` (30 days), `max-worker-age` (a day), `max-data` (1 MiB, in bytes), `events` (`tracked`: those of tracked jobs;
 * `all`: of all jobs, and kept in a stream), `test-clock` (`off`; an instant holds the clock there).
 */
export class Config {
  #door: Door;

  /** @internal Reached as {@link Client.config}. */
  constructor(door: Door) {
    this.#door = door;
  }

  /**
   * The value that is in force.
   *
   * @param name the setting.
   * @throws InvalidArgument for a name that is not a setting and for an unknown option.
   *
   * Source: core/src/engine/ops/config_get.lua
   */
  async get(name: string, options: ConfigOptions = {}): Promise<unknown> {
    const operation = "config_get";
    const own = coreOptions(options, CONFIG_OPTIONS, operation);
    return JSON.parse(
      await this.#door.call(operation, JSON.stringify({ name: text(name, "name", operation), ...own })),
    );
  }

  /**
   * Change a setting, at once and for all clients.
   *
   * @param name the setting.
   * @param value Milliseconds for spans; null goes back to the default.
   * @throws InvalidArgument for a name that is not a setting, a value out of its range, and an unknown option.
   *
   * Source: core/src/engine/ops/config_set.lua
   */
  async set(name: string, value: number | string | null, options: ConfigOptions = {}): Promise<void> {
    const operation = "config_set";
    const own = coreOptions(options, CONFIG_OPTIONS, operation);
    const args = jsonObject(
      { name: text(name, "name", operation), ...own },
      { value: toJson(value, "value", operation) },
    );
    await this.#door.call(operation, args);
  }

  /**
   * Go back to the default; of a queue, to what holds for all queues.
   *
   * @param name the setting.
   * @throws InvalidArgument for a name that is not a setting and for an unknown option.
   *
   * Source: core/src/engine/ops/config_unset.lua
   */
  async unset(name: string, options: ConfigOptions = {}): Promise<void> {
    const operation = "config_unset";
    const own = coreOptions(options, CONFIG_OPTIONS, operation);
    await this.#door.ask(operation, { name: text(name, "name", operation), ...own });
  }

  /**
   * Every setting.
   *
   * Source: core/src/engine/ops/config_all.lua
   */
  async all(): Promise<Settings> {
    return (await this.#door.ask("config_all", {})) as Settings;
  }
}

import type { Door } from "./door.js";
import { jsonObject, toJson } from "./json.js";
import { coreOptions, text } from "./options.js";

/** Options of {@link Config.get} and {@link Config.set}. */
export interface ConfigOptions {
  /** The queue whose own setting is meant; for `heartbeat` and `grace-period` only. Default: the setting for all. */
  queue?: string;
}

const CONFIG_OPTIONS = { queue: "queue" };

/**
 * The settings of a namespace, kept in Redis and the same for all its clients. Spans are milliseconds.
 *
 * `heartbeat` (60,000), `grace-period` (10,000), `jobs-history` (7 days), `jobs-history-count` (50,000),
 * `stats-history` (30 days), `max-data` (1 MiB, in bytes), `test-clock` (`off`; an instant holds the clock there).
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
}

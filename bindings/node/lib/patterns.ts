import type { Door } from "./door.js";
import { coreOptions } from "./options.js";

/** Queues that are served together, in the list of priorities. */
export interface QueuePriority {
  /** Names of queues; `*` for any characters, `!x` for all but x, `@name` for a saved list. At most 256. */
  readonly patterns: readonly string[];
  /** True when they are served evenly, not in order. Default false. */
  readonly fair?: boolean;
}

/** The saved lists of queue patterns. */
export interface PatternLists {
  /** By name, each a list of patterns that `@name` stands for. */
  readonly identifiers: Readonly<Record<string, readonly string[]>>;
  /** The order in which queues are served, first before others. */
  readonly priorities: readonly QueuePriority[];
}

const LISTS = { identifiers: "identifiers", priorities: "priorities" };

/** Saved lists of queue patterns, the same for all workers of the namespace. Reached as {@link Client.patterns}. */
export class Patterns {
  #door: Door;

  /** @internal */
  constructor(door: Door) {
    this.#door = door;
  }

  /**
   * The lists as they are saved.
   *
   * Source: core/src/engine/ops/pattern_get.lua
   */
  async get(): Promise<PatternLists> {
    return (await this.#door.ask("pattern_get", {})) as PatternLists;
  }

  /**
   * Save lists; workers that use them follow at once.
   *
   * @param lists each replaces all that was saved of it; what is not given stays.
   * @throws InvalidArgument for lists of another form, and when none is given.
   *
   * Source: core/src/engine/ops/pattern_set.lua
   */
  async set(lists: Partial<PatternLists>): Promise<void> {
    const operation = "pattern_set";
    await this.#door.ask(operation, coreOptions(lists, LISTS, operation));
  }
}

import type { Door } from "./door.js";
import { coreOptions } from "./options.js";
import type { WorkerOptions } from "./worker-options.js";

/** Queues that are served together, in the list of priorities. */
export interface PatternPriority {
  /** Names or patterns of queues, as those of a worker: {@link WorkerOptions.queues}. At most 256. */
  readonly patterns: readonly string[];
  /** True when they take turns at being first, as far as one call asks them: 64 queues. Default false. */
  readonly fair?: boolean;
}

/** The saved lists of queue patterns. */
export interface PatternLists {
  /** By name, each a list of patterns that `@name` stands for. */
  readonly identifiers: Readonly<Record<string, readonly string[]>>;
  /** The order in which `ordered` workers on patterns serve their queues; those that none names come last. */
  readonly priorities: readonly PatternPriority[];
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

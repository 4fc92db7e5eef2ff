import { described } from "./ending.js";
import { sync } from "./errors.js";
import type { NativeWorker } from "./native.js";
import { texts } from "./options.js";

/**
 * The order in which a worker asks its queues, as a program's own function says: it gets those that there are, in the order of
 * the worker's `queues`, and returns those that are to be asked, the first one first.
 */
export type ChooseQueues = (queues: readonly string[]) => readonly string[];

/** What the core calls that strategy. */
export const CALLBACK = "callback";

/** Has the native half ask its queues in the order of a function. */
export class Order {
  #choose: ChooseQueues;
  /** What was wrong with it last. */
  #fault = "";

  constructor(choose: ChooseQueues) {
    this.#choose = choose;
  }

  /** Never throws: what the function throws is written to the console, and the order stays as it was. */
  arrange(native: NativeWorker): void {
    const serving = native.serving();
    if (serving.length === 0) {
      // A worker on patterns looks up what they stand for.
      return;
    }
    try {
      const queues = texts(this.#choose(serving), "what strategy returns");
      sync(() => native.setOrder(queues));
      this.#fault = "";
    } catch (thrown) {
      const fault = described(thrown);
      if (fault !== this.#fault) {
        console.error(`manyhands: the strategy threw ${fault}`);
      }
      this.#fault = fault;
    }
  }
}

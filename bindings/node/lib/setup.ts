import { Client } from "./client.js";
import { invalidArgument, sync } from "./errors.js";
import { type NativeWorker, native } from "./native.js";
import { coreOptions, optionsObject } from "./options.js";
import { CALLBACK, Order } from "./order.js";
import { KIND_NAMES, WORKER_OPTIONS, type WorkerOptions } from "./worker-options.js";

/** Milliseconds. What is left to handlers that should end. */
const KILL_TIMEOUT = 2_000;

/** What a worker is told before it begins; its native half is opened by that. */
export class Setup {
  readonly client: Client;
  /** The program's own strategy, if it is that which counts. */
  order: Order | undefined;
  /** Under the core's names. */
  #options: Record<string, unknown>;
  /** How long the handlers may run that have a time of their own, by kind. */
  #timeouts: Record<string, number> = {};

  /** @throws InvalidArgument naming the option that is wrong or unknown. */
  constructor(client: Client, options: WorkerOptions) {
    Client.door(client);
    this.client = client;
    const { strategy, ...others } = optionsObject(options, null);
    this.order = typeof strategy === "function" ? new Order(strategy) : undefined;
    const named = { ...others, strategy: this.order === undefined ? strategy : CALLBACK };
    this.#options = { ...coreOptions(named as typeof options, WORKER_OPTIONS, null), language: "node" };
    this.#needOrder();
  }

  get queues(): readonly string[] {
    return this.#options.queues as readonly string[];
  }

  /** How many handlers run at once. */
  get threads(): number {
    return (this.#options.threads as number | undefined) ?? 1;
  }

  /** Milliseconds. */
  get killTimeout(): number {
    return (this.#options.kill_timeout_ms as number | undefined) ?? KILL_TIMEOUT;
  }

  /** How long the handler of a kind may run; undefined: as long as the options say. */
  limit(kind: string, timeout: number | undefined): void {
    delete this.#timeouts[kind];
    if (timeout !== undefined) {
      this.#timeouts[kind] = timeout;
    }
  }

  /** These options, under the core's names, count more than the program's. */
  adjust(options: Readonly<Record<string, unknown>>): void {
    if (options.strategy !== undefined && options.strategy !== this.#options.strategy) {
      delete this.#options.weights;
    }
    Object.assign(this.#options, options);
    this.#needOrder();
  }

  /** @throws InvalidArgument naming the option that is missing or wrong. */
  open(kinds: Iterable<string>, instead: object = {}): NativeWorker {
    const options = JSON.stringify({ ...this.#options, kinds: [...kinds], timeouts: this.#timeouts, ...instead });
    return sync(() => new native.Worker(Client.door(this.client).native, options), {
      ...WORKER_OPTIONS,
      ...KIND_NAMES,
    });
  }

  /** The core has a name for the strategy that is a function here. */
  #needOrder(): void {
    const { strategy } = this.#options;
    if (strategy !== CALLBACK) {
      this.order = undefined;
    } else if (this.order === undefined) {
      throw invalidArgument(`strategy ${CALLBACK} is for a worker whose strategy is a function`);
    }
  }
}

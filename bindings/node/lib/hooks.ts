import { captureRejectionSymbol, EventEmitter } from "node:events";
import { described } from "./ending.js";

/** Tells its listeners of what happens. What a listener throws, or rejects with, is written to the console and changes nothing. */
export abstract class Hooks<Events extends Record<keyof Events, unknown[]>> extends EventEmitter<Events> {
  /** @internal */
  constructor() {
    super({ captureRejections: true });
  }

  /** @internal */
  protected tell<Name extends keyof Events & string>(name: Name, ...what: Events[Name]): void {
    try {
      (this as EventEmitter).emit(name, ...what);
    } catch (thrown) {
      listenerThrew(thrown, name, what);
    }
  }

  /** @internal A listener rejected: called by EventEmitter. */
  override [captureRejectionSymbol](thrown: unknown, name: unknown, ...what: unknown[]): void {
    listenerThrew(thrown, name, what);
  }
}

/** It must not end the process. */
function listenerThrew(thrown: unknown, name: unknown, [about]: unknown[]): void {
  const jid = (about as { jid?: unknown } | undefined)?.jid;
  const where = jid === undefined ? "" : ` for job ${jid}`;
  console.error(`manyhands: a ${String(name)} listener threw${where}: ${described(thrown)}`);
}

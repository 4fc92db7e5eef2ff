import { constants } from "node:os";

/**
 * What happens to the whole process, told to as many as want to know by one listener: Node warns of more than ten on one
 * event, and a program may run more workers than that.
 *
 * Each returns what ends the telling. Without anybody to tell there is no listener, and a signal has its usual effect.
 */
function tellOf<What>(events: readonly string[]): (told: (what: What) => void) => () => void {
  const all = new Set<(what: What) => void>();
  const listener = (what: What) => {
    for (const told of [...all]) {
      told(what);
    }
  };
  return (told) => {
    if (all.size === 0) {
      for (const event of events) {
        process.on(event, listener);
      }
    }
    all.add(told);
    return () => {
      if (all.delete(told) && all.size === 0) {
        for (const event of events) {
          process.off(event, listener);
        }
      }
    };
  };
}

/** The process, or this worker_thread, ends by itself, by process.exit, or by an error that nobody caught. */
export const onExit = tellOf<number>(["exit"]);

/** How somebody asks the process to end. */
export type StopSignal = "SIGTERM" | "SIGINT" | "SIGQUIT";

/** Somebody asks the process to end. Only the main thread hears of it. */
export const onSignal = tellOf<StopSignal>(["SIGTERM", "SIGINT", "SIGQUIT"]);

/** Ends the process now, by this signal. */
export function die(signal: StopSignal): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // The first process of a container outlives the signal.
  process.exit(128 + constants.signals[signal]);
}

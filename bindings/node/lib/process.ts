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

/** What asks something of the workers of the process. USR1 is not among them: it is the inspector's. */
export type Signal = "SIGTERM" | "SIGINT" | "SIGQUIT" | "SIGUSR2" | "SIGCONT" | "SIGTTIN";

/** Somebody asks something of the process. Only the main thread hears of it. */
export const onSignal = tellOf<Signal>(["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGCONT", "SIGTTIN"]);

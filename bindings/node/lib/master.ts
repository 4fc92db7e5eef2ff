import { fork } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Described } from "./application.js";
import { settled, sync } from "./errors.js";
import { type NativeSupervisor, native } from "./native.js";
import { USAGE } from "./refusal.js";
import { asVariables, type Flags } from "./work-settings.js";

/** The program of each process. */
const PROGRAM = fileURLToPath(new URL("./worker-process.js", import.meta.url));

/** Milliseconds. The most that SHUTDOWN_TIMEOUT and KILL_TIMEOUT may be. */
const LONGEST = 86_400_000;

/** Those that a master hands on: USR1 too, which in other processes is the inspector's. */
const SIGNALS = ["QUIT", "TERM", "INT", "USR1", "USR2", "CONT", "TTIN", "HUP"] as const;

/** Keeps worker processes of an application until a signal ends it. Answers the status to end with. */
export async function keep(application: string, flags: Flags): Promise<number> {
  const told = await describedApart(application, { ...process.env, ...asVariables(flags) });
  if (told === null) {
    return USAGE;
  }
  const { url, namespace, queues, shutdownTimeout, killTimeout } = told;
  // Jobs of dead processes go back where the worker's client has them, and no process is killed before its own time is over.
  const client = sync(() => new native.Client(url, JSON.stringify({ namespace })));
  const seconds = (time: number) => String(Math.min(time, LONGEST) / 1_000);
  const all = { ...flags, "shutdown-timeout": seconds(shutdownTimeout), "kill-timeout": seconds(killTimeout) };
  const supervisor = sync(() => new native.Supervisor(client, JSON.stringify(all)));
  handOnSignals(supervisor);
  const show = (status: string) => {
    process.title = `manyhands master [${queues.join(",")}] ${status}`;
  };
  show(basename(application));
  return settled(() => supervisor.keep(process.execPath, [...process.execArgv, PROGRAM, application], show));
}

/**
 * What the application's worker is, or null, when it was said why there is none: in a process of its own, so that the master
 * holds neither its memory nor its connections.
 */
async function describedApart(application: string, env: NodeJS.ProcessEnv): Promise<Described | null> {
  const child = fork(PROGRAM, [application, "--describe"], { env, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  let told: Described | null = null;
  child.on("message", (message) => {
    told = message as Described | null;
  });
  const [[status, signal]] = await Promise.all([once(child, "exit"), once(child, "disconnect")]);
  if (told === null && status !== USAGE) {
    const how = signal === null ? `with status ${status}` : `by ${signal}`;
    console.error(`manyhands: the process ended ${how} while it loaded ${application}`);
  }
  return told;
}

function handOnSignals(supervisor: NativeSupervisor): void {
  for (const name of SIGNALS) {
    // Who closes a terminal wants an end; a service manager wants what is newest.
    const means = name === "HUP" && process.stdin.isTTY ? "QUIT" : name;
    process.on(`SIG${name}`, () => supervisor.signal(means));
  }
}

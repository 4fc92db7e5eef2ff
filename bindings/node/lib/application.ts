import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Client } from "./client.js";
import { described } from "./ending.js";
import { invalidArgument, ManyhandsError, sync } from "./errors.js";
import { native } from "./native.js";
import { Refused, refuse } from "./refusal.js";
import { Worker } from "./worker.js";

/** Milliseconds. What listeners of `stop` have begun may end; what keeps the process alive for longer does not. */
const LINGER = 500;

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

/** What a master must know of its application's worker. */
export interface Described {
  url: string;
  namespace: string;
  queues: readonly string[];
  /** Milliseconds. */
  shutdownTimeout: number;
  /** Milliseconds. */
  killTimeout: number;
}

/** What flags and the environment say to one process: null, or absent, where they say nothing. */
interface ProcessSettings {
  url: string | null;
  namespace: string | null;
  /** Options of the core's worker. */
  worker: Record<string, unknown>;
}

/** The worker that an application's module exports, under the settings; `flags` are the core's JSON. */
async function load(application: string, flags: string): Promise<Worker> {
  const { url, namespace, worker: options } = JSON.parse(sync(() => native.workSettings(flags))) as ProcessSettings;
  const worker = await exported(application);
  try {
    if (!(worker instanceof Worker)) {
      const wanted = `a Worker of this package (${PACKAGE}), or a function that returns one`;
      throw invalidArgument(`the default export of ${application} must be ${wanted}`);
    }
    const { client, performing } = Worker.parts(worker);
    if (performing.handlers.size === 0) {
      throw new Refused("the worker performs nothing: say worker.perform(…)");
    }
    Client.redirect(client, url, namespace);
    Worker.adjust(worker, options);
    return worker;
  } catch (thrown) {
    throw thrown instanceof ManyhandsError ? new Refused(String(thrown)) : thrown;
  }
}

interface Exports {
  default?: unknown;
  __esModule?: unknown;
}

async function exported(application: string): Promise<unknown> {
  const inVain = () => void refuse(new Refused(`${application} is not loaded: what it awaits never comes`));
  process.once("beforeExit", inVain);
  try {
    return await Worker.whileLoading(async () => {
      const { default: found } = (await import(pathToFileURL(resolve(application)).href)) as Exports;
      // Of CommonJS that was compiled from a module the default export is a member of what is exported.
      const own = (found as Exports | undefined)?.__esModule === true ? (found as Exports).default : found;
      return typeof own === "function" ? own() : own;
    });
  } finally {
    process.off("beforeExit", inVain);
  }
}

/** What the worker of an application is; without one the process ends. Performs nothing. */
export async function describe(application: string): Promise<Described> {
  const worker = await load(application, "{}").catch(refuse);
  const { client, queues } = Worker.parts(worker);
  const { url, namespace } = client;
  return { url, namespace, queues, ...Worker.endingTimes(worker) };
}

/** Performs the jobs of an application until it is stopped; then the process ends. Answers its status. */
export async function serve(application: string, flags: string): Promise<number> {
  const worker = await load(application, flags).catch(refuse);
  try {
    Worker.entitle(worker, (title) => {
      process.title = title;
    });
    await worker.run();
    return 0;
  } catch (thrown) {
    console.error(`manyhands: ${described(thrown)}`);
    return 1;
  } finally {
    setTimeout(() => process.exit(), LINGER).unref();
  }
}

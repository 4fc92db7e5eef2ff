// `manyhands work` on test/programs/application.ts, with real processes, and what tests ask of it.
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import type { Client, Job, WorkerStatus } from "manyhands";
import { freshClient, freshFolder, type Program, startCommand } from "./server.js";

export const application = fileURLToPath(new URL("./programs/application.js", import.meta.url));

/** A file of examples/node, in a folder where it finds the installed package and those that it shows. */
export async function example(name: string): Promise<string> {
  const folder = await mkdtemp(join(dirname(application), "example-"));
  after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "node_modules"));
  // Tests run in bindings/node.
  await symlink(resolve("node_modules/@opentelemetry"), join(folder, "node_modules/@opentelemetry"));
  const file = join(folder, name);
  await copyFile(new URL(`../../../../examples/node/${name}`, import.meta.url), file);
  return file;
}

/** Two processes, of which each performs one job at a time. */
export const TWO = ["--worker-count", "2", "--thread-count", "1"];

export const SINGLE = { RUN_AS_SINGLE_PROCESS: "1" };

/** A handler of kind hold, stubborn, hang or compute that runs. */
export interface Held {
  jid: string;
  pid: number;
  finish(): void;
  /** The handler has ended, or its process. */
  ended: Promise<unknown>;
}

/** A service under test, on the queue `q`. */
export interface Service {
  program: Program;
  client: Client;
  /** The next handler that runs. */
  held(): Promise<Held>;
  signal(signal: NodeJS.Signals): void;
  /** Puts jobs of two retries into `q`: their jids. */
  put(kind: string, count?: number, data?: unknown): Promise<string[]>;
  job(jid: string): Promise<Job>;
  /** What its workers that take jobs say of themselves, once there are so many of which that is true. */
  workers(count: number, suits?: (status: Status) => boolean): Promise<Status[]>;
}

export type Status = NonNullable<WorkerStatus["status"]> & { pid: number };

export async function start(
  flags: readonly string[] = [],
  variables: NodeJS.ProcessEnv = {},
  client = freshClient(),
): Promise<Service> {
  const socket = join(await freshFolder(), "hold");
  const told: Held[] = [];
  const holds = createServer((stream) => {
    createInterface({ input: stream.on("error", () => {}) }).once("line", (line) => {
      const [jid, pid] = line.split(" ") as [string, string];
      told.push({ jid, pid: Number(pid), finish: () => stream.write("x"), ended: once(stream, "close") });
      holds.emit("held");
    });
  });
  holds.unref().listen(socket);
  await once(holds, "listening");
  const program = startCommand(["work", ...flags, application], {
    MANYHANDS_URL: client.url,
    NAMESPACE: client.namespace,
    QUEUES: "q",
    HOLD: socket,
    ...variables,
  });
  return {
    program,
    client,
    async held() {
      while (told.length === 0) {
        await once(holds, "held");
      }
      return told.shift() as Held;
    },
    signal: (signal) => void program.child.kill(signal),
    async put(kind, count = 1, data = null) {
      const puts = Array.from({ length: count }, () => ({ kind, data, retries: 2 }));
      return (await client.queue("q").putMany(puts)).map(({ jid }) => jid);
    },
    job: async (jid) => (await client.job(jid)) as Job,
    async workers(count, suits = () => true) {
      for (;;) {
        const { items } = await client.workers();
        const statuses = items.flatMap(({ status }) => (status === null ? [] : [status as Status]));
        const suitable = statuses.filter((status) => status.quiet === false && !isGone(status.pid) && suits(status));
        if (suitable.length === count) {
          return suitable;
        }
      }
    },
  };
}

/** One that serves. */
export async function started(flags: readonly string[] = [], variables: NodeJS.ProcessEnv = {}): Promise<Service> {
  const service = await start(flags, variables);
  await service.workers(flags.includes("--worker-count") ? 2 : 1);
  return service;
}

/** Its state, and how many retries are left of two. */
export async function fate({ job }: Service, jid: string): Promise<[string, number]> {
  const { state, remaining } = await job(jid);
  return [state, remaining];
}

export async function untilState(service: Service, jid: string, state: string): Promise<Job> {
  for (;;) {
    const job = await service.job(jid);
    if (job.state === state) {
      return job;
    }
  }
}

export function isGone(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

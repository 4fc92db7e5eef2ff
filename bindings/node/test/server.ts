// What the tests stand on: a Redis server of their own on a unix socket, namespaces of their own, and child processes.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "manyhands";

const folder = await mkdtemp(join(tmpdir(), "manyhands-node-"));
const socket = join(folder, "redis.sock");
const clients: Client[] = [];
const children: ChildProcess[] = [];
const server = await startServer(folder);

/** A server of this folder, on its socket `redis.sock`. */
async function startServer(dir: string, ...options: string[]): Promise<ChildProcess> {
  const socket = join(dir, "redis.sock");
  return started("redis-server", ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir, ...options]);
}

async function started(program: string, options: string[], cwd?: string): Promise<ChildProcess> {
  const child = spawn(program, options, { cwd });
  process.once("exit", () => child.kill("SIGKILL"));
  for await (const line of createInterface({ input: child.stdout })) {
    if (/ready to accept connections/i.test(line)) {
      break;
    }
  }
  child.stdout.resume();
  return child;
}

after(async () => {
  for (const child of children) {
    child.kill("SIGKILL");
  }
  await Promise.all(clients.map((client) => client.close()));
  server.kill("SIGCONT");
  server.kill("SIGKILL");
  await once(server, "exit");
  await rm(folder, { recursive: true });
});

export const url = `unix://${socket}`;

/** Holds the server still, or lets it go on. */
export function signalServer(signal: "SIGSTOP" | "SIGCONT"): void {
  server.kill(signal);
}

/** What redis-cli says to a command. */
export async function redis(...command: string[]): Promise<string> {
  return (await promisify(execFile)("redis-cli", ["-s", socket, ...command])).stdout;
}

/** A folder that is gone at the end. */
export async function freshFolder(): Promise<string> {
  return mkdtemp(join(folder, "folder-"));
}

/** Another address of the server, and what makes it unreachable there, like a server that was killed. */
export async function otherAddress(): Promise<{ url: string; close(): void }> {
  const path = join(await freshFolder(), "other.sock");
  const open = new Set<Socket>();
  const passage = createServer((near) => {
    const far = createConnection(socket);
    for (const [from, to] of [[near, far] as const, [far, near] as const]) {
      open.add(from);
      from.on("error", () => {}).on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  passage.unref().listen(path);
  await once(passage, "listening");
  const close = () => {
    passage.close();
    for (const one of open) {
      one.destroy();
    }
  };
  return { url: `unix://${path}`, close };
}

/** A server that speaks TLS: its URL with the options given, in which DIR is the folder of its certificates. */
export async function tlsServer(): Promise<(options: string) => string> {
  const dir = await freshFolder();
  const program = resolve("../../tests/tls/server.sh"); // from bindings/node, where tests run
  children.push(await started(program, ["--save", ""], dir));
  const address = await readFile(join(dir, "url"), "utf8");
  return (options) => address + options.replaceAll("DIR", dir);
}

/** Another server, that keeps what it was told, and a client of it; `restart` kills it and starts it again. */
export async function ownServer(): Promise<{ client: Client; restart(): Promise<void> }> {
  const dir = await freshFolder();
  const begin = () => startServer(dir, "--appendonly", "yes", "--appendfsync", "always");
  let child = await begin();
  const client = new Client(`unix://${join(dir, "redis.sock")}`);
  clients.push(client);
  children.push(child);
  const restart = async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
    child = await begin();
    children.push(child);
  };
  return { client, restart };
}

/** Listens as a service manager does, on a socket of datagrams, which Node has not: its path, and what waits for the next such news. */
export async function serviceManager(): Promise<{ path: string; told(news: string): Promise<void> }> {
  const path = join(await freshFolder(), "manager");
  const program = new URL("./programs/manager.py", import.meta.url).pathname;
  const child = spawn("python3", [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const told = async (news: string) => {
    for (let line = await lines.next(); line.value !== news; line = await lines.next()) {
      if (line.done) {
        throw new Error(`the manager ended before it was told ${news}`);
      }
    }
  };
  await told("listening");
  return { path, told };
}

let namespaces = 0;

/** A client of a namespace that nobody else uses; closed at the end. */
export function freshClient(): Client {
  namespaces += 1;
  return clientOf(`test-${process.pid}-${namespaces}`);
}

/** A client of this namespace; closed at the end. */
export function clientOf(namespace: string, address = url): Client {
  const client = new Client(address, { namespace });
  clients.push(client);
  return client;
}

/** Stops the clock of the namespace and returns what moves it, by milliseconds. */
export async function stopClock(client: Client): Promise<(by: number) => Promise<void>> {
  let now = Date.now();
  const move = async (by: number) => {
    now += by;
    await client.config.set("test-clock", now);
  };
  await move(0);
  return move;
}

/** A program of test/programs in a process of its own. */
export interface Program {
  readonly child: ChildProcess;
  /** Resolves to this line, or the first like it, when it has written it. */
  line(text: string | RegExp): Promise<string>;
  /** Resolves to the exit code, or to the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** Starts a program with the namespace of `client`. */
export function start(
  name: string,
  client: Client,
  flags: readonly string[] = [],
  address = url,
  more: readonly string[] = [],
): Program {
  const program = new URL(`./programs/${name}.js`, import.meta.url).pathname;
  return run(name, [...flags, program, address, client.namespace, ...more], process.env);
}

/** `manyhands`, a script of Node's. */
export const commandFile = fileURLToPath(new URL("../node_modules/.bin/manyhands", import.meta.url));

/** Starts `manyhands` with these arguments; `variables` are all that it finds in its environment of its settings. */
export function startCommand(args: readonly string[], variables: NodeJS.ProcessEnv): Program {
  return run("manyhands", [commandFile, ...args], { PATH: process.env.PATH, ...variables });
}

function run(name: string, args: readonly string[], env: NodeJS.ProcessEnv): Program {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const seen = new Set<string>();
  lines.on("line", (line) => seen.add(line));
  createInterface({ input: child.stderr }).on("line", (line) => {
    console.error(line);
    lines.emit("line", line);
  });
  const ended = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);
  const line = async (text: string | RegExp) => {
    const found = () => [...seen].find((one) => (typeof text === "string" ? one === text : text.test(one)));
    const over = ended.then(() => {
      if (found() === undefined) {
        throw new Error(`${name} ended without the line ${text}; it wrote ${[...seen].join(" | ")}`);
      }
    });
    for (;;) {
      const line = found();
      if (line !== undefined) {
        return line;
      }
      await Promise.race([once(lines, "line"), over]);
    }
  };
  return { child, line, ended };
}

/**
 * One of three attempts takes less than `bound`; each says how many milliseconds it took. On a machine that is busy with other
 * things the others may take longer. `what`: what is measured.
 */
export async function oneOfThreeWithin(
  t: TestContext,
  what: string,
  bound: number,
  attempt: () => Promise<number>,
): Promise<void> {
  const took: number[] = [];
  do {
    took.push(await attempt());
  } while (took.length < 3 && Math.min(...took) >= bound);
  const shown = `${what}: ${took.map(Math.round).join(", ")} ms`;
  t.diagnostic(shown);
  assert.ok(Math.min(...took) < bound, shown);
}

/** What is written to the console from now on, one text for each line or so; the console shows none of it. */
export function written(t: TestContext): string[] {
  const lines: string[] = [];
  t.mock.method(console, "error", (line: string) => void lines.push(line));
  return lines;
}

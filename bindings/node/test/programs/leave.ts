// Leaves the last client of a private server, which is held still, to the garbage collector. Usage: leave.js embedded:DIR
// NAMESPACE, with --expose-gc.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { Client } from "manyhands";

const [url, namespace] = process.argv.slice(2) as [string, string];
const collect = (globalThis as { gc?: () => void }).gc as () => void;
let collected = false;
const registry = new FinalizationRegistry(() => {
  collected = true;
});

async function use(): Promise<void> {
  const client = new Client(url, { namespace });
  registry.register(client, undefined);
  await client.queue("q").counts();
}

async function ask(...command: string[]): Promise<string> {
  const socket = await readFile(`${url.slice("embedded:".length)}/socket`, "utf8");
  return (await promisify(execFile)("redis-cli", ["-s", socket, ...command])).stdout;
}

await use();
const server = Number(/process_id:(\d+)/.exec(await ask("INFO", "server"))?.[1]);
process.kill(server, "SIGSTOP");
while (!collected) {
  collect();
  await setImmediate();
}
for (let turn = 0; turn < 100; turn += 1) {
  collect();
  await setImmediate();
}
console.log("the event loop turns");
process.kill(server, "SIGCONT");
while (await ask("PING").catch(() => "")) {}
console.log("the server is gone");

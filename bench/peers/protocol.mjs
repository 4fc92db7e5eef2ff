// What the harness asks of a program in Node. README.md says what each mode is.
import { createInterface } from "node:readline";

const [, , path, count, size, asked] = process.argv;

export const socket = path;
export const jobs = Number(count);
export const payload = "x".repeat(Number(size) - 2);
export const mode = asked;
export const puts = mode === "put" || mode === "putter";
export const shortLeases = mode === "hold" || mode === "rescue";

const seconds = () => Number(process.hrtime.bigint()) / 1e9;
const say = (value) => process.stdout.write(`${value.toFixed(6)}\n`);
let started = 0;
let begun = 0;

/** Calls bulk(n) until all jobs are put, n at once, or one() for each line that comes. */
export async function put(atOnce, bulk, one) {
  if (mode === "put") {
    const since = seconds();
    for (let left = jobs; left > 0; left -= atOnce) {
      await bulk(Math.min(left, atOnce));
    }
    say(seconds() - since);
    return;
  }
  for await (const _ of createInterface({ input: process.stdin })) {
    const since = seconds();
    await one();
    say(since);
  }
}

/** What every job does; `stop` ends the worker as its users would. */
export function start(stop) {
  const now = seconds();
  if (mode !== "drain") {
    say(now);
    return mode === "hold" ? new Promise(() => {}) : undefined;
  }
  if (++started === 1) {
    begun = now;
  }
  if (started === jobs) {
    say(now - begun);
    setImmediate(stop);
  }
}

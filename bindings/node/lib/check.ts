import type { Door } from "./door.js";

/** Options of {@link Client.check}. */
export interface CheckOptions {
  /** Whether to mend what can be mended without guessing. Default false. */
  repair?: boolean;
  /** How many keys or members are looked at in a step, 1 to 250. Default 200. */
  limit?: number;
}

export const CHECK_OPTIONS = { repair: "repair", limit: "limit" };

/** What does not agree with the jobs' records. */
export interface Violation {
  /** missing, score, stray, count, due, blocked, dependents, throttle, queue, use, ready, lost, orphan, state or type. */
  readonly rule: string;
  /** The job it is about, or null. */
  readonly jid: string | null;
  /** What is wrong, for people. */
  readonly detail: string;
  /** True when it was mended. */
  readonly repaired: boolean;
}

interface RawViolation {
  readonly rule: string;
  readonly jid?: string | null;
  readonly detail: string;
  readonly repaired: number;
}

/** Walks over all of the namespace; `options` are those of the core. */
export async function* violations(door: Door, options: object): AsyncGenerator<Violation, void, void> {
  let cursor = "";
  do {
    const step = (await door.ask("check", { ...options, cursor })) as { cursor: string; violations: RawViolation[] };
    for (const { rule, jid = null, detail, repaired } of step.violations) {
      yield { rule, jid, detail, repaired: repaired === 1 };
    }
    cursor = step.cursor;
  } while (cursor !== "");
}

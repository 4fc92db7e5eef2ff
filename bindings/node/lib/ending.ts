import { inspect } from "node:util";
import { ManyhandsError, type Names } from "./errors.js";
import { jsonObject } from "./json.js";
import { Outcome } from "./outcome.js";

/** The end of a run: its name, and its fields under the names of the core; those in `raw` are JSON text already. */
export interface Ending {
  readonly verb: "complete" | "error" | "fail" | "retry" | "snooze" | "release" | "unknown_kind";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly raw: Readonly<Record<string, string | undefined>>;
}

/** Completed, and nothing more to say: how most runs end. */
export const DONE: Ending = Object.freeze({ verb: "complete", fields: Object.freeze({}), raw: Object.freeze({}) });

/** What the core calls otherwise than this package, of all that ends a run. */
export const ENDING_NAMES: Names = { delay: "delay_ms" };

/** The ending as the worker runtime reads it. */
export function outcomeJson({ verb, fields, raw }: Ending): string {
  return `{"${verb}":${jsonObject(fields, raw)}}`;
}

/** The same for what does not wait for an answer; undefined for {@link DONE}, as a text costs more than all else. */
export function shortOutcome(ending: Ending): string | undefined {
  return ending === DONE ? undefined : outcomeJson(ending);
}

/** What a handler chose by throwing it; undefined for an error. Its fields may be the user's own. */
export function chosenEnding(thrown: unknown): Ending | undefined {
  return thrown instanceof Outcome ? { verb: thrown.verb, fields: thrown.fields(), raw: {} } : undefined;
}

/** The outcome of a handler that threw. Never throws, whatever that was. */
export function errorEnding(thrown: unknown): Ending {
  const fields = {
    class: read(() => className(thrown), "Error"),
    message: read(() => (thrown instanceof Error ? thrown.message : inspect(thrown)), UNREADABLE),
    trace: read(() => (thrown instanceof Error ? (thrown.stack ?? "") : ""), ""),
  };
  return { verb: "error", fields, raw: {} };
}

/** The group of jobs that fail so: a name, cut where one has to end. */
export function failureGroup(kind: string, cause: string): string {
  const bytes = Buffer.from(`${kind}:${cause}`).subarray(0, LONGEST_NAME);
  return new TextDecoder().decode(bytes, { stream: true }); // without the character that was cut
}

/** Bytes. */
const LONGEST_NAME = 255;

/** What was thrown, for the log; with its stack, if it has one. Never throws. */
export function described(thrown: unknown): string {
  return read(() => inspect(thrown), `${read(() => className(thrown), "Error")}: ${UNREADABLE}`);
}

const UNREADABLE = "<its message cannot be read>";

/**
 * What `look` finds; `otherwise` when that throws, as getters and proxies of the user's may. Lone surrogates are replaced: they
 * are no text in JSON.
 */
function read(look: () => unknown, otherwise: string): string {
  try {
    return String(look()).toWellFormed();
  } catch {
    return otherwise;
  }
}

/**
 * The class of what was thrown; of errors that only set their name (AbortError is a DOMException) that name; of our own
 * errors the code, which is the same in every language.
 */
function className(thrown: unknown): string {
  if (thrown instanceof ManyhandsError) {
    return thrown.name;
  }
  if (!(thrown instanceof Error)) {
    return thrown === null ? "null" : typeof thrown;
  }
  const own = thrown.constructor?.name ?? "";
  return (own === "Error" || own === "DOMException" ? String(thrown.name) : own) || "Error";
}

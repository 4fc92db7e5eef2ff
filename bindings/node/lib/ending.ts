import { inspect } from "node:util";
import { ManyhandsError, type Names } from "./errors.js";
import { jsonObject } from "./json.js";

/** The end of a run: its name, and its fields under the names of the core; those in `raw` are JSON text already. */
export interface Ending {
  readonly verb: "complete" | "error" | "fail" | "retry" | "snooze" | "release" | "unknown_kind";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly raw: Readonly<Record<string, string | undefined>>;
}

/** What the core calls otherwise than this package, of all that ends a run. */
export const ENDING_NAMES: Names = { delay: "delay_ms" };

/** The ending as the worker runtime reads it. */
export function outcomeJson({ verb, fields, raw }: Ending): string {
  return `{"${verb}":${jsonObject(fields, raw)}}`;
}

/** The outcome of a handler that threw. Lone surrogates are replaced: they are no text in JSON. */
export function errorEnding(thrown: unknown): Ending {
  const error = thrown instanceof Error ? thrown : undefined;
  const message = error === undefined ? inspect(thrown) : String(error.message);
  const fields = {
    class: className(thrown).toWellFormed(),
    message: message.toWellFormed(),
    trace: String(error?.stack ?? "").toWellFormed(),
  };
  return { verb: "error", fields, raw: {} };
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

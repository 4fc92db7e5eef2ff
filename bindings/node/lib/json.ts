import { types } from "node:util";
import { invalidArgument, ManyhandsError } from "./errors.js";

/**
 * JSON text to be stored byte for byte, in place of a value.
 *
 * For what JavaScript numbers cannot hold: `new RawJson('{"id":12345678901234567}')`.
 * It stands for the whole of `data` or of a result, not for a part inside one.
 */
export class RawJson {
  /** The JSON text. */
  readonly text: string;

  /**
   * @param text JSON text (RFC 8259).
   * @throws InvalidArgument when it is not.
   */
  constructor(text: string) {
    if (typeof text !== "string") {
      throw invalidArgument(`text of RawJson must be a string, not ${typeof text}`);
    }
    try {
      // Also what keeps a text from closing the object that it will be a member of.
      JSON.parse(text);
    } catch (cause) {
      throw invalidArgument(`text of RawJson is not JSON: ${(cause as Error).message}`, null, { cause });
    }
    this.text = text;
  }

  /** @internal Called by JSON.stringify when it meets a RawJson inside another value. */
  toJSON(): never {
    throw invalidArgument("RawJson must be the whole value, not a part of one");
  }
}

/** What JSON.stringify would turn into `{}`, silently. */
const OPAQUE: readonly [(value: unknown) => boolean, string][] = [
  [types.isMap, "a Map"],
  [types.isSet, "a Set"],
  [types.isWeakMap, "a WeakMap"],
  [types.isWeakSet, "a WeakSet"],
  [types.isPromise, "a Promise (is an await missing?)"],
  [types.isRegExp, "a RegExp"],
  [types.isNativeError, "an Error"],
  [types.isAnyArrayBuffer, "an ArrayBuffer"],
];

/** True for a Date that its own toJSON would turn to null. */
function isInvalidDate(value: unknown): boolean {
  return types.isDate(value) && Number.isNaN(value.getTime());
}

/** Most objects are such, and need not be asked what else they are. */
function isUsual(value: object | null): boolean {
  return value === null || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

/** The core refuses what is nested deeper. */
const MAX_DEPTH = 128;

/** True for what JSON holds as it is, with all its parts; `toJson` looks closer at what is not. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
      return value.isWellFormed();
    case "number":
      return Number.isFinite(value);
    case "boolean":
      return true;
    case "object":
      return value === null || (depth > 0 && isUsual(value) && !("toJSON" in value) && hasPlainParts(value, depth - 1));
    default:
      return false;
  }
}

function hasPlainParts(value: object, depth: number): boolean {
  if (Array.isArray(value)) {
    // Not `every`, which leaves out what is missing.
    for (const part of value) {
      if (!isPlain(part, depth)) {
        return false;
      }
    }
    return true;
  }
  for (const key in value) {
    if (!key.isWellFormed() || !isPlain((value as Record<string, unknown>)[key], depth)) {
      return false;
    }
  }
  return true;
}

/** Why JSON cannot hold `value` itself (not its parts), or undefined when it can. */
function refusal(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? undefined : "a text with half a character (a lone surrogate)";
    case "number":
      return Number.isFinite(value) ? undefined : String(value);
    case "bigint":
      return `the BigInt ${value}n (pass it as a string, or all as RawJson)`;
    case "undefined":
      return "undefined (leave it out, or pass null)";
    case "function":
      return "a function";
    case "symbol":
      return "a symbol";
    case "object":
      return isUsual(value) ? undefined : OPAQUE.find(([is]) => is(value))?.[1];
    default:
      return undefined;
  }
}

/**
 * The JSON text of `value`.
 *
 * JSON.stringify alone drops undefined and turns NaN to null without a word; here whatever JSON cannot hold is
 * an InvalidArgument that names `argument` and the path inside it.
 */
export function toJson(value: unknown, argument: string, operation: string | null = null): string {
  if (value instanceof RawJson) {
    return value.text;
  }
  // Without a function to call for each part this is many times as fast.
  if (isPlain(value, MAX_DEPTH)) {
    return JSON.stringify(value);
  }
  // The objects around the part now being looked at, outermost first; keys[i] leads from holders[i] to holders[i + 1].
  const holders: unknown[] = [];
  const keys: string[] = [];
  function check(this: unknown, key: string, part: unknown): unknown {
    while (holders.length > 0 && holders[holders.length - 1] !== this) {
      holders.pop();
      keys.pop();
    }
    if (holders.length === 0) {
      holders.push(this);
    }
    // `part` is what a toJSON has made of it, of an invalid Date null; the value itself is still where it was.
    const hidden = part === null && isInvalidDate(Reflect.get(Object(this), key));
    const reason = refusal(key) ?? (hidden ? "an invalid Date" : refusal(part));
    if (reason !== undefined) {
      const place = argument + [...keys, key].slice(1).map(step).join("");
      throw invalidArgument(`${place} cannot be written as JSON: it is ${reason}`, operation);
    }
    if (typeof part === "object" && part !== null) {
      holders.push(part);
      keys.push(key);
    }
    return part;
  }
  try {
    return JSON.stringify(value, check);
  } catch (cause) {
    if (cause instanceof ManyhandsError) {
      throw cause;
    }
    // Circles, values nested too deep, BigInt below a toJSON of its own, and what a toJSON of the caller throws.
    const message = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw invalidArgument(`${argument} cannot be written as JSON: ${message}`, operation, { cause });
  }
}

/** One step of a path, as JavaScript would write it. */
function step(key: string): string {
  if (/^\d+$/.test(key)) {
    return `[${key}]`;
  }
  return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** The text of a JSON object: `fields` as they are, then `raw` members whose values are JSON text already. */
export function jsonObject(fields: object, raw: Readonly<Record<string, string | undefined>> = {}): string {
  let text = JSON.stringify(fields);
  for (const key in raw) {
    const member = raw[key];
    if (member !== undefined) {
      text = `${text.slice(0, -1)}${text === "{}" ? "" : ","}"${key}":${member}}`;
    }
  }
  return text;
}

/**
 * The reply of an operation with the names that JavaScript uses: `put_at_ms` becomes `putAt`, `mean_ms` becomes `mean`.
 * All such numbers are milliseconds. What is called `data` is the user's and stays as it is.
 */
export function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(camelCase);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const renamed = ([key, part]: [string, unknown]) => [
    camelCaseName(key),
    key === "data" || key === "headers" ? part : camelCase(part),
  ];
  return Object.fromEntries(Object.entries(value).map(renamed));
}

function camelCaseName(name: string): string {
  return name.replace(/_ms$/, "").replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

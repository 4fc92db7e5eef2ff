import { invalidArgument } from "./errors.js";
import { toJson } from "./json.js";

/** The options of a call: for each name that JavaScript uses, the name that the core uses. */
export type OptionNames<Options> = { readonly [Name in keyof Required<Options>]: string };

/**
 * `options` under the names of the core; options that are undefined are left out.
 *
 * Names that end in `_ms` are milliseconds: a fraction is rounded, as no clock of ours is finer. `within` says in errors
 * where the options are: `jobs[3].`.
 *
 * @throws InvalidArgument for an option that is not in `names`, and for a number that is not finite.
 */
export function coreOptions<Options extends object>(
  options: Options,
  names: OptionNames<Options>,
  operation: string | null,
  within = "",
): Record<string, unknown> {
  optionsObject(options, operation);
  const known: Readonly<Record<string, string>> = names;
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const coreName = Object.hasOwn(known, name) ? known[name] : undefined;
    if (coreName === undefined) {
      throw invalidArgument(
        `option ${within}${name} is unknown; there are ${Object.keys(known).join(", ")}`,
        operation,
      );
    }
    if (value !== undefined) {
      const place = within + name;
      fields[coreName] = coreName.endsWith("_ms")
        ? milliseconds(value, place, operation)
        : plain(value, place, operation);
    }
  }
  return fields;
}

/** The same options, to be taken apart. */
export function optionsObject<Options extends object>(options: Options, operation: string | null): Options {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const what = options === null ? "null" : Array.isArray(options) ? "an array" : typeof options;
    throw invalidArgument(`options must be an object, not ${what}`, operation);
  }
  return options;
}

/** A span in milliseconds, rounded; the core checks its range. */
export function milliseconds(value: unknown, name: string, operation: string | null = null): number {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw invalidArgument(`${name} must be a finite number of milliseconds, not ${shown(value)}`, operation);
  }
  if (value < 0) {
    throw invalidArgument(`${name} ${value} is negative`, operation);
  }
  return Math.round(value);
}

/** A text; the core checks its length. */
export function text(value: unknown, name: string, operation: string | null = null): string {
  if (typeof value !== "string") {
    throw invalidArgument(`${name} must be a string, not ${shown(value)}`, operation);
  }
  if (!value.isWellFormed()) {
    throw invalidArgument(`${name} has half a character (a lone surrogate)`, operation);
  }
  return value;
}

/** A function of the user's. */
export function callable<Kind>(value: Kind, name: string): Kind {
  if (typeof value !== "function") {
    throw invalidArgument(`${name} must be a function, not ${shown(value)}`);
  }
  return value;
}

/** A list of texts; the core checks its length and theirs. */
export function texts(value: unknown, name: string, operation: string | null = null): string[] {
  if (!Array.isArray(value)) {
    throw invalidArgument(`${name} must be an array, not ${shown(value)}`, operation);
  }
  return value.map((one, index) => text(one, `${name}[${index}]`, operation));
}

/** What JSON can carry unchanged; the core checks type and range. */
export function plain(value: unknown, name: string, operation: string | null): unknown {
  if (value === null) {
    throw invalidArgument(`${name} must not be null`, operation);
  }
  toJson(value, name, operation);
  return value;
}

function shown(value: unknown): string {
  return typeof value === "object" || typeof value === "function"
    ? value === null
      ? "null"
      : typeof value
    : String(value);
}

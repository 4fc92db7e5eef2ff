import { sync } from "./errors.js";
import { native } from "./native.js";

/** What was said by flags: values by the flags' names without dashes; that of a switch is `true`. */
export type Flags = Readonly<Record<string, string>>;

/** One setting of the core's list. */
export interface WorkSetting {
  /** The environment variable. */
  readonly name: string;
  /** The flag, without its two dashes. */
  readonly flag: string;
  /** Empty: nothing. */
  readonly default: string;
  /** What its value counts; empty for a switch. */
  readonly unit: string;
  readonly help: string;
}

/** All of them, in the order of a help text. */
export const workSettings: readonly WorkSetting[] = JSON.parse(native.workSettingsTable());

/**
 * Checks what flags and the environment say.
 *
 * @returns whether there is to be no master.
 * @throws InvalidArgument naming the flag or the variable, as it was written.
 */
export function checkedSettings(flags: Flags): { single: boolean } {
  const { single_process, url, namespace } = JSON.parse(sync(() => native.workSettings(JSON.stringify(flags))));
  const written = (flag: string, name: string) => (flags[flag] ? `--${flag}` : name);
  const names = { [written("url", "MANYHANDS_URL")]: "url", [written("namespace", "NAMESPACE")]: "namespace" };
  sync(() => new native.Client(url, JSON.stringify({ namespace })), names);
  return { single: single_process };
}

/** The variables by which another process finds what flags say. */
export function asVariables(flags: Flags): Record<string, string> {
  const said = workSettings.filter(({ flag }) => (flags[flag] ?? "") !== "");
  return Object.fromEntries(said.map(({ name, flag }) => [name, flags[flag] as string]));
}

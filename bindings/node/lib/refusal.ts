import { described } from "./ending.js";

/** The status of a command that was called wrongly, or whose application cannot be run. */
export const USAGE = 2;

/** Why an application cannot be run, for who called the command: its place in this package says nothing to them. */
export class Refused extends Error {}

/** Says why an application cannot be run, and ends the process. */
export async function refuse(thrown: unknown): Promise<never> {
  if (thrown instanceof SyntaxError) {
    return uncaught(thrown);
  }
  console.error(`manyhands: ${thrown instanceof Refused ? thrown.message : described(thrown)}`);
  return process.exit(USAGE);
}

/** Where a SyntaxError is, Node says only of one that nobody catches. */
function uncaught(error: SyntaxError): Promise<never> {
  process.removeAllListeners("uncaughtException");
  process.once("exit", () => {
    process.exitCode = USAGE;
  });
  setImmediate(() => {
    throw error;
  });
  return new Promise(() => {});
}

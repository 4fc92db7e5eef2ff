import { statSync } from "node:fs";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { serve } from "./application.js";
import { version } from "./index.js";
import { keep } from "./master.js";
import { USAGE } from "./refusal.js";
import { checkedSettings, type Flags, workSettings } from "./work-settings.js";

const COMMANDS = `Manyhands ${version}: workers for Node.

Usage: manyhands work [OPTIONS] APPLICATION
       manyhands --help | --version

\`manyhands work --help\` explains the options.`;

/** A setting's line of help begins here. */
const COLUMN = 34;
const WIDTH = 118;

/** Runs a command; answers the status to end with. */
export async function command(args: readonly string[]): Promise<number> {
  const [name, ...others] = args;
  switch (name) {
    case "work":
      return work(others);
    case "--help":
    case "-h":
    case "help":
      console.log(COMMANDS);
      return 0;
    case "--version":
      console.log(`manyhands ${version}`);
      return 0;
    default:
      console.error(name === undefined ? COMMANDS : `manyhands: ${name} is no command\n\n${COMMANDS}`);
      return USAGE;
  }
}

async function work(args: readonly string[]): Promise<number> {
  let asked: Asked | null;
  try {
    asked = parsed(args);
  } catch (thrown) {
    console.error(`manyhands: ${thrown instanceof Error ? thrown.message : thrown}`);
    return USAGE;
  }
  if (asked === null) {
    console.log(help());
    return 0;
  }
  const { application, flags, single } = asked;
  return single ? serve(application, JSON.stringify(flags)) : keep(application, flags);
}

interface Asked {
  application: string;
  flags: Flags;
  /** Whether there is to be no master. */
  single: boolean;
}

/** Null when help was asked for. Throws what is wrong, for its user. */
function parsed(args: readonly string[]): Asked | null {
  const options: ParseArgsConfig["options"] = { help: { type: "boolean", short: "h" } };
  for (const { flag, unit } of workSettings) {
    options[flag] = { type: unit === "" ? "boolean" : "string" };
  }
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const { help: wanted, ...given } = values;
  if (wanted === true) {
    return null;
  }
  const flags = Object.fromEntries(Object.entries(given).map(([flag, value]) => [flag, String(value)]));
  const { single } = checkedSettings(flags);
  const [application, ...rest] = positionals;
  if (application === undefined || rest.length > 0) {
    throw new Error(
      application === undefined
        ? "APPLICATION is missing, for example ./app.mjs"
        : `${rest[0]} is one APPLICATION too many`,
    );
  }
  const file = statSync(application, { throwIfNoEntry: false });
  if (!file?.isFile()) {
    throw new Error(`APPLICATION ${application} is ${file === undefined ? "not there" : "not a file"}`);
  }
  return { application, flags, single };
}

function help(): string {
  const lines = workSettings.map((setting) => {
    const flag = `  --${setting.flag}${setting.unit === "" ? "" : ` <${setting.unit}>`}`;
    const initial = setting.default === "" ? "" : ` Default: ${setting.default}`;
    const [first, ...rest] = wrapped(`${setting.help}${initial} [${setting.name}]`, WIDTH - COLUMN);
    const begin = flag.length < COLUMN ? [flag.padEnd(COLUMN) + first] : [flag, " ".repeat(COLUMN) + first];
    return [...begin, ...rest.map((line) => " ".repeat(COLUMN) + line)].join("\n");
  });
  return `Keeps worker processes of an application.

Usage: manyhands work [OPTIONS] APPLICATION

APPLICATION is a file, for example ./app.mjs: a module whose default export is a Worker, or a function that returns one
(or a promise of it). Every process loads it; first of all one that only says where its jobs are, and ends.

Options, each with its environment variable, which it wins over. What is given counts more than what the application says;
THREAD_COUNT is its \`concurrency\`, JOBS_PER_FORK its \`maxJobs\`.

${lines.join("\n")}

Signals: QUIT ends after the running jobs, TERM and INT now, a second one at once; USR1 interrupts the running jobs;
USR2 takes no new jobs, CONT takes them again; TTIN tells the log what runs; HUP replaces every process in turn.
To one process: the same for itself, but USR1, which is the inspector's.`;
}

function wrapped(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) as string;
    if (line.length + word.length < width) {
      lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

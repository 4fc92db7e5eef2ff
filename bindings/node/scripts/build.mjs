// Builds the native module with cargo and renames it into place: prebuilt/<platform>-<arch>/manyhands.node.
//
// PROFILE=dev builds without optimisation; the default is release. Also copies the licence texts, so that the packed
// package carries them.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const room = dirname(dirname(fileURLToPath(import.meta.url)));
const checkout = join(room, "..", "..");
const profile = process.env.PROFILE ?? "release";

const cargo = spawnSync(
  "cargo",
  ["build", "--package", "manyhands-node", "--profile", profile, "--message-format", "json-render-diagnostics"],
  { cwd: checkout, stdio: ["ignore", "pipe", "inherit"], encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
);
if (cargo.error) {
  throw new Error(`cannot run cargo (is Rust installed?): ${cargo.error.message}`);
}
if (cargo.status !== 0) {
  process.exit(cargo.status ?? 1);
}

const library = cargo.stdout
  .split("\n")
  .filter((line) => line.startsWith("{"))
  .map((line) => JSON.parse(line))
  .filter((message) => message.reason === "compiler-artifact" && message.target.name === "manyhands_node")
  .flatMap((message) => message.filenames)
  .find((file) => /\.(so|dylib|dll)$/.test(file));
if (!library) {
  throw new Error("cargo built no library for manyhands-node");
}

// A rename, never a write into the old file: a running process may have that one mapped.
const target = join(room, "prebuilt", `${process.platform}-${process.arch}`, "manyhands.node");
const fresh = `${target}.${process.pid}`;
mkdirSync(dirname(target), { recursive: true });
copyFileSync(library, fresh);
renameSync(fresh, target);

for (const licence of ["LICENSE-APACHE", "LICENSE-MIT"]) {
  copyFileSync(join(checkout, licence), join(room, licence));
}
console.log(`built ${target} (${profile})`);

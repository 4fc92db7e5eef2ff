import assert from "node:assert/strict";
import { readFileSync, realpathSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import * as manyhands from "manyhands";

test("what is tested is the installed package", () => {
  const beside = new URL("../node_modules/manyhands/dist/index.js", import.meta.url);
  assert.equal(import.meta.resolve("manyhands"), pathToFileURL(realpathSync(beside)).href);
});

test("package and core have the same version", () => {
  const manifest = new URL("../package.json", import.meta.resolve("manyhands"));
  assert.equal(JSON.parse(readFileSync(manifest, "utf8")).version, manyhands.version);
});

test("every code of the core has its own exported class, and every class its code", () => {
  const className = (name: string) =>
    name.toLowerCase().replace(/(^|_)([a-z])/g, (_, __, c: string) => c.toUpperCase());
  const fromCore = manyhands.codes.map((row) => {
    assert.equal(row.errorClass.name, className(row.name));
    return row.errorClass;
  });
  const exported = Object.values(manyhands).filter(
    (value) => typeof value === "function" && value.prototype instanceof manyhands.ManyhandsError,
  );
  assert.deepEqual(new Set(fromCore), new Set(exported));
  assert.equal(fromCore.length, exported.length);
});

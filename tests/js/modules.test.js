/** The modules: the entry imports each, so that the bundle, which pages load, holds all of them. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const FOLDER = new URL("../../realtime/static/realtime/", import.meta.url);
const IMPORT = /^(?:import|export)\s.*?from "(\.\.?\/[^"]+)"$/gm;

/** The module's source, by its path below the folder. */
const read = (module) => readFileSync(new URL(module, FOLDER), "utf8");

/** The path below the folder of a module's relative import. */
function resolve(imported, module) {
  return new URL(imported, new URL(module, FOLDER)).href.slice(FOLDER.href.length);
}

/** All modules that are loaded with this one. */
function loadedWith(module, found = new Set()) {
  if (found.has(module)) return found;
  found.add(module);
  for (const [, imported] of read(module).matchAll(IMPORT)) {
    loadedWith(resolve(imported, module), found);
  }
  return found;
}

test("the entry imports every module, and every import exists", () => {
  const files = readdirSync(FOLDER, { recursive: true });
  const modules = files.filter((name) => name.endsWith(".js") && name !== "live.bundle.js");

  assert.deepEqual([...loadedWith("live.js")].sort(), modules.sort());
});

test("no module imports in a form that the test above does not see", () => {
  for (const module of loadedWith("live.js")) {
    const code = read(module).replace(/\/\*[^]*?\*\//g, "");
    const seen = [...code.matchAll(IMPORT)].length;
    assert.equal(code.match(/\bfrom "|\bimport\b(?= *["(])/g)?.length ?? 0, seen, module);
  }
});

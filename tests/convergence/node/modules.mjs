/** Import the shipped modules into a context of their own, like a browser tab for each client. */
import { readFileSync } from "node:fs";
import vm from "node:vm";

/** @type {Map<string, string>} */
const sources = new Map();

/**
 * Import a module and its imports into a context; needs --experimental-vm-modules.
 * @param {vm.Context} context
 * @param {string} root URL of the folder of static files, the base of names without a dot
 * @param {string} name
 */
export async function importInto(context, root, name) {
  /** @type {Map<string, vm.SourceTextModule>} */
  const modules = new Map();
  const load = (identifier) => {
    const known = modules.get(identifier);
    const module = known ?? new vm.SourceTextModule(textOf(identifier), { context, identifier });
    modules.set(identifier, module);
    return module;
  };
  const entry = load(new URL(name, root).href);
  await entry.link((specifier, { identifier }) =>
    load(new URL(specifier, specifier.startsWith(".") ? identifier : root).href),
  );
  await entry.evaluate();
  return entry.namespace;
}

/** @param {string} url */
function textOf(url) {
  const text = sources.get(url) ?? readFileSync(new URL(url), "utf8");
  sources.set(url, text);
  return text;
}

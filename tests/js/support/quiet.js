/** What the client said on the console, for a test that expects it; nothing is printed. */
export function quietConsole(t) {
  const said = { warn: [], error: [] };
  for (const level of Object.keys(said)) {
    t.mock.method(console, level, (...args) => said[level].push(args.map(String).join(" ")));
  }
  return said;
}

/** Record the client's console output instead of printing it, for a test that expects some. */
export function quietConsole(t) {
  const said = { warn: [], error: [] };
  for (const level of Object.keys(said)) {
    t.mock.method(console, level, (...args) => said[level].push(args.map(String).join(" ")));
  }
  return said;
}

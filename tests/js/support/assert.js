/** Assertions for specs in a browser, where node:assert does not exist. */

export function ok(value, message = "expected something true") {
  if (!value) throw new Error(message);
}

export function equal(actual, expected, message = "") {
  const [got, want] = [actual, expected].map((value) => JSON.stringify(value) ?? String(value));
  if (got !== want) throw new Error(`${message}\nexpected: ${want}\nactual:   ${got}`);
}

/** Wait until `holds()` is true, with a deadline. */
export async function until(holds, message = String(holds)) {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`still not so: ${message}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

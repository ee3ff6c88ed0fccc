/** The few assertions that specs in a browser need; node's own are not there. */

export function ok(value, message = "expected something true") {
  if (!value) throw new Error(message);
}

export function equal(actual, expected, message = "") {
  const [got, want] = [actual, expected].map((value) => JSON.stringify(value) ?? String(value));
  if (got !== want) throw new Error(`${message}\nexpected: ${want}\nactual:   ${got}`);
}

/** Wait until something holds; a browser has its own time. */
export async function until(holds, message = String(holds)) {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`still not so: ${message}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

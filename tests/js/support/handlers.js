/** A handler that records its calls, and fails the first `failures` times. */
export function recorder({ failures = 0 } = {}) {
  const told = [];
  const handler = async (call) => {
    told.push(call);
    if (failures-- > 0) throw new Error("could not apply");
  };
  return Object.assign(handler, { told });
}

/** A handler whose runs end when the test ends them. */
export function deferred() {
  const runs = [];
  const handler = (told) =>
    new Promise((resolve, reject) => {
      runs.push({ told, succeed: resolve, fail: () => reject(new Error("could not apply")) });
    });
  return Object.assign(handler, { runs });
}

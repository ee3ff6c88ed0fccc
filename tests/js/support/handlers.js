/** A handler that notes what it is told, and fails as often as it is asked to. */
export function recorder({ failures = 0 } = {}) {
  const told = [];
  const handler = async (news) => {
    told.push(news);
    if (failures-- > 0) throw new Error("could not apply");
  };
  return Object.assign(handler, { told });
}

/** A handler whose runs end when the test says so. */
export function deferred() {
  const runs = [];
  const handler = (told) =>
    new Promise((resolve, reject) => {
      runs.push({ told, succeed: resolve, fail: () => reject(new Error("could not apply")) });
    });
  return Object.assign(handler, { runs });
}

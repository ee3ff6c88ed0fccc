/** A clock that stands still until a test advances it. */
export class FakeClock {
  #now = 0;
  #timers = new Map();
  #last = 0;

  setTimeout = (run, milliseconds) => {
    this.#timers.set(++this.#last, { at: this.#now + milliseconds, run });
    return this.#last;
  };

  clearTimeout = (timer) => {
    this.#timers.delete(timer);
  };

  now = () => this.#now;

  /** Let the machine sleep: time passes, and the timers stand still. */
  sleep(milliseconds) {
    this.#now += milliseconds;
    for (const timer of this.#timers.values()) timer.at += milliseconds;
  }

  /** How many timers wait. */
  get waiting() {
    return this.#timers.size;
  }

  /** Let time pass, running each timer at its moment, and let promises settle in between. */
  async advance(milliseconds) {
    await settle();
    const end = this.#now + milliseconds;
    for (;;) {
      const [id, timer] = [...this.#timers].sort(([, a], [, b]) => a.at - b.at)[0] ?? [];
      if (!timer || timer.at > end) break;
      this.#timers.delete(id);
      this.#now = timer.at;
      timer.run();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** Let all promises and microtasks that are due settle. */
export function settle() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** One subscription as the harness sees it: the changes received, and whether they are applied. */
export class Watch {
  topic;
  /** The time from which changes count, in seconds of the machine's monotonic clock. */
  since;
  /** Label and key of a row as JSON -> number of changes received. @type {Map<string, number>} */
  told = new Map();
  isDenied = false;
  /** True once the client cancelled it. */
  isOver = false;
  #note;
  #ended;
  #subscription = null;
  #owes = false;
  #runs = 0;

  /**
   * @param {string} topic
   * @param {number} since
   * @param {(kind: string, what?: object) => void} note
   * @param {() => void} ended called when it is denied or cancelled
   */
  constructor(topic, since, note, ended) {
    this.topic = topic;
    this.since = since;
    this.#note = note;
    this.#ended = ended;
  }

  /** True if no run of the handler is due or in progress. */
  get isQuiet() {
    return !this.#owes && this.#runs === 0;
  }

  get cursor() {
    return this.#subscription.cursor;
  }

  /** @param {any} given the caller's options */
  options(given) {
    const onDenied = (reason) => {
      this.isDenied = true;
      this.#ended();
      const [family] = this.topic.split(":");
      this.#note(`${reason === "revoked" ? "ended" : "refused"} ${family}`, { topic: this.topic });
      given.onDenied?.(reason);
    };
    return { ...given, onDenied };
  }

  /** @param {(told: any) => unknown} given the caller's handler */
  handler(given) {
    return async (told) => {
      this.#owes = false;
      this.#runs++;
      try {
        await given(told);
      } catch (error) {
        this.#owes = true;
        throw error;
      } finally {
        this.#runs--;
        this.#note("ran", { topic: this.topic });
      }
    };
  }

  /** @param {any} subscription made with these options and this handler */
  follow(subscription) {
    const cancel = subscription.cancel.bind(subscription);
    subscription.cancel = () => {
      this.isOver = true;
      this.#ended();
      cancel();
    };
    this.#subscription = subscription;
    return subscription;
  }

  /**
   * Take a topic's entry of a `changed` frame.
   * @returns {boolean} whether a run of the handler is due that was not due before
   */
  tell({ reset, changes }) {
    const rows = Object.entries(changes ?? {}).flatMap(([label, verbs]) =>
      Object.values(verbs).flatMap((pks) => (pks ?? []).map((pk) => JSON.stringify([label, pk]))),
    );
    for (const row of rows) this.told.set(row, (this.told.get(row) ?? 0) + 1);
    const isNew = !this.#owes && Boolean(reset || rows.length);
    this.#owes ||= isNew;
    return isNew;
  }

  /** The client did not read the last changes: it receives them on another connection. */
  takeBack() {
    this.#owes = false;
  }
}

/** One subscription as the harness sees it: what it was told, and whether it is applied. */
export class Watch {
  topic;
  /** Since when it counts what it is told, in seconds of the machine's monotonic clock. */
  since;
  /** How often it was told of each row, by label and key as JSON. @type {Map<string, number>} */
  told = new Map();
  isDenied = false;
  /** True if the client gave it up. */
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
   * @param {() => void} ended told when it is denied or given up
   */
  constructor(topic, since, note, ended) {
    this.topic = topic;
    this.since = since;
    this.#note = note;
    this.#ended = ended;
  }

  /** True if no run of the handler is owed or under way. */
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

  /** @param {any} subscription that was made with these options and this handler */
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
   * @returns {boolean} whether a run is owed that was not owed before
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

  /** The client did not read what it was told last: another connection will bring it. */
  takeBack() {
    this.#owes = false;
  }
}

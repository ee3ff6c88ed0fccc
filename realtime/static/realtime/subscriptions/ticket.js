/** One subscription's ticket, the request that carries it, and the server's answer. */
export class Ticket {
  #text;
  #isConfirmed = false;
  #wasConfirmed = false;
  /**
   * The request on this connection.
   * @type {{cursor: string | null, ticket: string | null} | null}
   */
  #request = null;
  /** True if the request was denied, and another ticket would repeat it. */
  #isRepeatable = false;
  /** True if the request was repeated after a denial on this connection. */
  #isRepeated = false;

  /** @param {string | null} text */
  constructor(text) {
    this.#text = text;
  }

  /** The ticket's text, for the next request. */
  get text() {
    return this.#text;
  }

  /** True if the server has confirmed the request on this connection. */
  get isConfirmed() {
    return this.#isConfirmed;
  }

  /** True if the server has confirmed a request, on any connection. */
  get wasConfirmed() {
    return this.#wasConfirmed;
  }

  /**
   * Build the request, and remember it.
   * @param {string | null} cursor
   */
  ask(cursor) {
    this.#request = { cursor, ticket: this.#text };
    return this.#request;
  }

  /** Note that the server confirmed; true if it replays from a cursor that the request carried. */
  confirm() {
    this.#isConfirmed = true;
    this.#wasConfirmed = true;
    return Boolean(this.#request?.cursor);
  }

  /** Note a denial; true if it is of an earlier ticket than the present one. */
  deny() {
    if (this.#text !== this.#request?.ticket) return true;
    // If the server denies a fresh ticket too, age is not the reason.
    this.#isRepeatable = !this.#isRepeated;
    return false;
  }

  /**
   * Take a fresh ticket; true if the denied request is to be repeated with it.
   * @param {string} text
   */
  renew(text) {
    const isRepeat = this.#isRepeatable && text !== this.#text;
    this.#text = text;
    if (!isRepeat) return false;
    this.#isRepeatable = false;
    this.#isRepeated = true;
    return true;
  }

  /** Do not repeat the denied request with any ticket: its owner makes another subscription. */
  retire() {
    this.#isRepeatable = false;
  }

  /** Note that the connection is lost, and with it the request and the server's answer. */
  lose() {
    this.#isConfirmed = false;
    this.#request = null;
    this.#isRepeated = false;
  }
}

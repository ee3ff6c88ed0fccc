/** A browser's WebSocket for the client under test, whose frames the observer records. */
import WebSocket from "ws";

/** Milliseconds within which the server must answer a close. */
const GOODBYE = 1_000;
/** The close code of a broken or abandoned connection. */
const BROKEN = 1006;

/**
 * Return the WebSocket class of one client. Each instance connects to a random server, as through a
 * load balancer, with the client's cookie and that server's origin.
 * @param {import("./client.mjs").Client} client
 */
export function socketOf(client) {
  return class {
    onmessage = null;
    onclose = null;
    #socket;
    #isGivenUp = false;

    /** @param {string} url */
    constructor(url) {
      const host = `127.0.0.1:${client.port()}`;
      this.#socket = new WebSocket(`ws://${host}${new URL(url).pathname}`, {
        origin: `http://${host}`,
        headers: { Cookie: client.cookie },
        perMessageDeflate: false,
      });
      // A close follows.
      this.#socket.on("error", () => {});
      this.#socket.on("message", (data) => this.#isGivenUp || this.#heard(String(data)));
      this.#socket.on("close", (code) => this.#isGivenUp || this.#ended(code));
    }

    /** @param {string} text */
    send(text) {
      client.observer.sent(JSON.parse(text));
      this.#socket.send(text);
    }

    close() {
      this.#giveUp(BROKEN);
      this.#socket.close();
      setTimeout(() => this.#socket.terminate(), GOODBYE).unref();
    }

    /** @param {string} text */
    #heard(text) {
      const frame = JSON.parse(text);
      // The heartbeat is real time, and the client's clock runs faster.
      if (frame.type === "welcome") frame.heartbeat /= client.pace;
      const takeBack = client.observer.heard(frame);
      this.onmessage?.({ data: JSON.stringify(frame) });
      // A client that abandons the socket here has not read the frame.
      if (this.#isGivenUp) takeBack();
    }

    /** @param {number} code */
    #ended(code) {
      this.#giveUp(code);
      this.onclose?.({ code });
    }

    /** @param {number} code */
    #giveUp(code) {
      if (this.#isGivenUp) return;
      this.#isGivenUp = true;
      client.note("lost", { code, open: client.observer.isOpen });
      client.observer.lost();
    }
  };
}

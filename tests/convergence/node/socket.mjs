/** A websocket with a browser's manners, through which the harness reads along. */
import WebSocket from "ws";

/** Milliseconds for which the server may answer a close. */
const GOODBYE = 1_000;
/** The close code of a connection that just broke, or was given up. */
const BROKEN = 1006;

/**
 * Make the WebSocket of one client. Each goes to one of the servers, as through a load balancer,
 * with the client's cookie and that server's origin.
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
      // The server's own time is not shortened.
      if (frame.type === "welcome") frame.heartbeat /= client.pace;
      const takeBack = client.observer.heard(frame);
      this.onmessage?.({ data: JSON.stringify(frame) });
      // A client that doubts its connection does not read the frame, and gives up the socket.
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

import { settle } from "./fake_clock.js";

/** A server that a test plays. It records every socket that the client opens. */
export class FakeServer {
  /** All sockets so far, the present one last. */
  sockets = [];
  /** An error that the next constructor call throws, if set. */
  failure = null;

  constructor() {
    const server = this;
    this.WebSocket = class FakeWebSocket {
      onmessage = null;
      onclose = null;
      sent = [];
      closed = false;

      constructor(url) {
        if (server.failure) throw server.failure;
        this.url = url;
        server.sockets.push(this);
      }

      send(text) {
        if (!this.closed) this.sent.push(JSON.parse(text));
      }

      // As in a browser, a dead connection fires no close event by itself.
      close() {
        this.closed = true;
      }
    };
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** The frames that the client sent on the present socket. */
  get sent() {
    return this.socket.sent;
  }

  /** The subscriptions of the last subscribe frame. */
  get asked() {
    return this.sent.filter((frame) => frame.type === "subscribe").at(-1)?.subscriptions;
  }

  async welcome(fields = {}) {
    await this.send({ type: "welcome", protocol: 1, connection: "c1", heartbeat: 25, ...fields });
  }

  /** Confirm topics, given as {topic: cursor}. */
  async confirm(cursors) {
    const topics = Object.fromEntries(
      Object.entries(cursors).map(([topic, cursor]) => [topic, { cursor }]),
    );
    await this.send({ type: "subscribed", topics });
  }

  /** Tell one topic that rows changed: {entered, updated, left} of one label. */
  async change(topic, cursor, lists = { updated: ["1"] }) {
    await this.send({
      type: "changed",
      topics: { [topic]: { cursor, changes: { "app.row": lists } } },
    });
  }

  async reset(topic, cursor, reason = "bulk") {
    await this.send({ type: "changed", topics: { [topic]: { cursor, reset: reason } } });
  }

  async send(frame, socket = this.socket) {
    socket.onmessage({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
    await settle();
  }

  async close(code = 1006, socket = this.socket) {
    socket.closed = true;
    socket.onclose({ code });
    await settle();
  }
}

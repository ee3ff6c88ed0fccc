/** Types of what `realtime/live.js` exports. The modules themselves are JavaScript with JSDoc. */

/** Connect to a server; the same URL, however it is spelled, gives the same object. */
export function connect(url: string): Live;

/**
 * Whether the page is known to be true: `connecting`, the server has not confirmed everything yet;
 * `live`; `stale`, a handler failed and will be retried, or was denied its topic; `reconnecting`;
 * `refused`, log in again.
 */
export type LiveState = "connecting" | "live" | "stale" | "reconnecting" | "refused";

/** The state of one plug-in's content. */
export type PartState = "connecting" | "live" | "stale";

/** A frame of the protocol. */
export interface Frame {
  type: string;
  [field: string]: any;
}

/**
 * The page's live connection. Its events: `state` when `state` has changed; `connected` each time
 * that the server has sent welcome; `lost` each time that such a connection has ended.
 */
export interface Live extends EventTarget {
  readonly state: LiveState;
  /** When this state began, in milliseconds since 1970. */
  readonly since: number;
  /** The last connection's close code, null if none has ended; 1006 if this client abandoned it. */
  readonly closeCode: number | null;
  /** Subscribe to a topic. */
  subscribe(topic: string, options: SubscribeOptions, handler: Handler): Subscription;
  subscribe(topic: string, handler: Handler): Subscription;
  /**
   * Use fresh tickets, by topic, from the next request on. Topics denied with another ticket are
   * requested again, once per connection.
   */
  renewTickets(tickets: Record<string, string | null | undefined>): void;
  /** Check the connection now, and end all waits of handlers. */
  wake(): void;
  /**
   * Handle the server's frames of a type: for plug-ins that have frames of their own. If the
   * handler throws, the frame counts as lost and the connection is reopened. Throws if the type has
   * a handler already.
   */
  handle(frameType: string, handler: (frame: any) => void): void;
  /** Send a frame; false, and dropped, while there is no connection: send it at `connected`. */
  send(frame: Frame): boolean;
  /** Report whether a plug-in's content is true: `state` is the worst of all parts. */
  report(part: string, state: PartState): void;
  /** Close an open connection and reconnect: for a frame that the server does not answer. */
  reopen(): void;
}

/** Applies changes. Its promise says "applied"; after a rejection it is called again. */
export type Handler = (told: Told) => unknown;

/** The argument of a handler. With a `reset`, reload all that you show of the topic. */
export interface Told {
  /** Primary keys, as text, by model label. */
  changes: Record<string, { entered: string[]; updated: string[]; left: string[] }>;
  reset: string | null;
  cursor: string | null;
}

export interface SubscribeOptions {
  /** The position of the data that you show. */
  cursor?: string | null;
  /** The server's proof that it showed this user the topic. */
  ticket?: string | null;
  /** The data was read earlier, at an unknown position: call the handler once when confirmed. */
  catchUp?: boolean;
  /** Milliseconds over which all calls are spread. */
  jitter?: number | null;
  /** The same for resets that reach every client at one moment; 1000 unless given. */
  resetJitter?: number | null;
  /** End waits together with those of all others that have this option: they share one fetch. */
  together?: boolean;
  /**
   * Called when the server does not, or no longer ("revoked"), allow the topic: the handler is not
   * called again, unless `renewTickets` brings another ticket than the denied one.
   */
  onDenied?: (reason: string) => void;
}

/** One handler's subscription to one topic. */
export interface Subscription {
  readonly topic: string;
  /** The position up to which all is applied; null before there is one. */
  readonly cursor: string | null;
  /** Milliseconds over which calls are spread; null for the default. */
  jitter: number | null;
  /** End the subscription. */
  cancel(): void;
}

/** `<live-region topic="list:5">`: content that is fetched again when one of its topics changes. */
export class LiveRegion extends HTMLElement {}

declare global {
  interface HTMLElementTagNameMap {
    "live-region": LiveRegion;
  }
  interface HTMLElementEventMap {
    "live:applied": CustomEvent<Omit<Told, "cursor"> & { topics: string[] }>;
    "live:inserted": CustomEvent<null>;
    "live:gone": CustomEvent<{ reason: string }>;
  }
}

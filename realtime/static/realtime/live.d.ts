/** Types of what `realtime/live.js` exports. The modules themselves are JavaScript with JSDoc. */

/** Connect to a server; the same URL, however it is spelled, gives the same object. */
export function connect(url: string): Live;

/**
 * How true the page is: `connecting`, not all is confirmed yet; `live`; `stale`, a handler failed
 * and will be retried, or was denied its topic; `reconnecting`; `refused`, log in again.
 */
export type LiveState = "connecting" | "live" | "stale" | "reconnecting" | "refused";

/** The page's live connection. Sends a `state` event when `state` has changed. */
export interface Live extends EventTarget {
  readonly state: LiveState;
  /** When this state began, in milliseconds since 1970. */
  readonly since: number;
  /** Why the last connection ended, null if none has; 1006 also where this client gave it up. */
  readonly closeCode: number | null;
  /** Watch a topic. */
  subscribe(topic: string, options: SubscribeOptions, handler: Handler): Subscription;
  subscribe(topic: string, handler: Handler): Subscription;
  /** Use fresh tickets, by topic, from the next request on. */
  renewTickets(tickets: Record<string, string | null | undefined>): void;
  /** Make sure, now, that what is shown is true. */
  wake(): void;
}

/** Applies what it is told. Its promise says "applied"; after a rejection it is told again. */
export type Handler = (told: Told) => unknown;

/** What a handler is told. With a `reset`, reload all that you show of the topic. */
export interface Told {
  /** Primary keys, as text, by model label. */
  changes: Record<string, { entered: string[]; updated: string[]; left: string[] }>;
  reset: string | null;
  cursor: string | null;
}

export interface SubscribeOptions {
  /** Where the data that is shown stands. */
  cursor?: string | null;
  /** The server's proof that this user was shown the topic. */
  ticket?: string | null;
  /** Gets a fresh ticket when the topic was denied; null for "there is none". */
  renew?: () => Renewed | null | Promise<Renewed | null>;
  /** The data was read before, at an unknown position: be told once when the server confirms. */
  catchUp?: boolean;
  /** Milliseconds over which runs are spread, whatever they follow. */
  jitter?: number | null;
  /** The same for resets that reach everybody at one moment; 1000 unless given. */
  resetJitter?: number | null;
  /** Let waits end together with those of all others that say so: they share one fetch. */
  together?: boolean;
  /** Told when the server does not, or no longer, allow it; the subscription is over then. */
  onDenied?: (reason: string) => void;
}

export interface Renewed {
  ticket?: string | null;
  /** Used only where the subscription has no position yet. */
  cursor?: string | null;
}

/** One handler's watch of one topic. */
export interface Subscription {
  readonly topic: string;
  /** All up to here has been applied; null before there is a position. */
  readonly cursor: string | null;
  /** Milliseconds over which runs are spread; null for the default. */
  jitter: number | null;
  /** Watch no more. */
  cancel(): void;
}

/** `<live-region topic="list:5">`: content that is fetched anew when one of its topics changes. */
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

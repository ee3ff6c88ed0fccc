/** Code as TypeScript users write it with the shipped types. It is compiled, not run. */
import {
  connect,
  type Handler,
  type Live,
  type LiveRegion,
  type LiveState,
  type SubscribeOptions,
  type Subscription,
  type Told,
} from "realtime/live.js";

const live: Live = connect("/ws/live/");

const handler: Handler = async ({ changes, reset, cursor }: Told) => {
  const left: string[] = changes["app.row"]?.left ?? [];
  return [left, reset ?? "changed", cursor];
};

const options: SubscribeOptions = {
  cursor: "c0",
  ticket: null,
  jitter: 2_000,
  onDenied: (reason) => reason.toUpperCase(),
};

const subscription: Subscription = live.subscribe("list:5", options, handler);
live.subscribe("list:6", (told) => told.reset).cancel();
subscription.jitter = null;

live.addEventListener("state", () => {
  const state: LiveState = live.state;
  const minutes: number = (Date.now() - live.since) / 60_000;
  return state === "refused" && live.closeCode === 4401 && minutes;
});

live.handle("watching", ({ id, ticket }) => [id, ticket]);
live.addEventListener("connected", () => {
  const sent: boolean = live.send({ type: "watch", id: "v1", ticket: "…" });
  if (sent) live.report("views", "connecting");
  else live.reopen();
});

const region: LiveRegion | null = document.querySelector("live-region");
region?.addEventListener("live:gone", ({ detail }) => detail.reason.length);

// @ts-expect-error subscribe without a handler is an error
live.subscribe("list:5", {});
// @ts-expect-error there is no such option
live.subscribe("list:5", { cursr: "c0" }, handler);
// @ts-expect-error a plug-in is not refused, the client is
live.report("views", "refused");
// @ts-expect-error a frame has a type
live.send({ id: "v1" });
// @ts-expect-error only the client sets the state
live.state = "live";

/** The shipped types say what the modules' own do: neither more, nor less, nor otherwise. */
import type { Live as RealLive } from "../../../realtime/static/realtime/connection/client.js";
import type { connect as realConnect } from "../../../realtime/static/realtime/connection/connect.js";
import type { Told as RealTold } from "../../../realtime/static/realtime/subscriptions/changes.js";
import type { LiveRegion as RealRegion } from "../../../realtime/static/realtime/region/region.js";
import type {
  SubscribeOptions as RealOptions,
  Subscription as RealSubscription,
} from "../../../realtime/static/realtime/subscriptions/subscription.js";
import type {
  connect,
  Live,
  LiveRegion,
  SubscribeOptions,
  Subscription,
  Told,
} from "realtime/live.js";

type Extends<Real extends Declared, Declared> = Real;
type Same<One, Other> = [One, Other] extends [Other, One] ? true : false;

/** What is declared is there, and of that type. */
export type Present = [
  Extends<typeof realConnect, (...args: Parameters<typeof connect>) => Live>,
  Extends<Omit<RealLive, "subscribe">, Omit<Live, "subscribe">>,
  Extends<RealSubscription, Subscription>,
  Extends<RealRegion, LiveRegion>,
];

/** What is there is declared; of a subscription, all that is not for its topic alone. */
export const nothingMissing: [
  Same<keyof RealLive, keyof Live>,
  Same<RealLive["state"], Live["state"]>,
  Same<RealOptions, SubscribeOptions>,
  Same<keyof RealOptions, keyof SubscribeOptions>,
  Same<RealTold, Told>,
] = [true, true, true, true, true];

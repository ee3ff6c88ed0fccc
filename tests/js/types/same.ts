/** The shipped types are those of the modules: no more, no less, no others. */
import type { Live as RealLive, PartState as RealPartState } from "../../../realtime/static/realtime/connection/client.js";
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
  PartState,
  SubscribeOptions,
  Subscription,
  Told,
} from "realtime/live.js";

type Extends<Real extends Declared, Declared> = Real;
type Same<One, Other> = [One, Other] extends [Other, One] ? true : false;

/** Every declared name exists, with its declared type. */
export type Present = [
  Extends<typeof realConnect, (...args: Parameters<typeof connect>) => Live>,
  Extends<Omit<RealLive, "subscribe">, Omit<Live, "subscribe">>,
  Extends<RealSubscription, Subscription>,
  Extends<RealRegion, LiveRegion>,
];

/** Every public member is declared; of a subscription, those that its topic does not call. */
export const nothingMissing: [
  Same<keyof RealLive, keyof Live>,
  Same<RealLive["state"], Live["state"]>,
  Same<RealPartState, PartState>,
  Same<RealOptions, SubscribeOptions>,
  Same<keyof RealOptions, keyof SubscribeOptions>,
  Same<RealTold, Told>,
] = [true, true, true, true, true, true];

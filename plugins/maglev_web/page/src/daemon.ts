// What the dashboard's server says of a daemon: the daemon's own messages (messages.ts), and what the server adds.

import type { Backend, Dataplane, Event, Frontend, HealthCheck, Info, VipCounters } from "./messages";

export interface Status {
  connected: boolean;
  answering: boolean;
  why: string;
  since_s: number;
  restarts: number;
  info: Info | null;
}

export interface Traffic extends VipCounters {
  /** The counters a second. */
  rates: Record<string, number> | null;
}

interface MessageCounts {
  tx: number;
  rx: number;
  errors: number;
}

/** Messages of the dataplane's own API: since the daemon started, and a second. */
export interface MessageRates extends MessageCounts {
  rates: MessageCounts | null;
}

export interface Activity {
  total: MessageRates;
  messages: (MessageRates & { message: string })[];
  more: number;
}

/** A probe: seconds since the epoch, milliseconds, code. */
export type Probe = [number, number, string];

export interface DaemonState {
  frontends: Record<string, Frontend>;
  backends: Record<string, Backend>;
  healthchecks: Record<string, HealthCheck>;
  dataplane: Dataplane | null;
  /** How many VIPs the dataplane holds. */
  vips: number | null;
  /** The frontends in the order of the file. */
  order: string[];
}

/** A daemon as it is sent. */
export interface DaemonMessage {
  name: string;
  status: Status;
  counters: Traffic[];
  activity: Activity | null;
  /** Backends whose probes come unasked; of more backends, those that are visible. */
  followed: number;
  probes: Record<string, Probe[]>;
  events: Event[];
  state: DaemonState;
}

/** A daemon as it is kept: its counters by VIP, as `vipText` writes it. */
export interface Daemon extends Omit<DaemonMessage, "counters"> {
  counters: Record<string, Traffic>;
}

export interface Order {
  maglevd: string;
  command: string;
  arguments: Record<string, string | number | boolean>;
}

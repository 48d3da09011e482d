// What the server sends; made by maglev_web/feed/wire.py.

export type BackendState = "unknown" | "up" | "down" | "paused" | "disabled" | "removed";

export interface Transition {
  from: BackendState;
  to: BackendState;
  at_s: number;
  code: string;
  why: string;
}

export interface Backend {
  name: string;
  address: string;
  check: string | null;
  state: BackendState;
  counter: number;
  top: number;
  enabled: boolean;
  overridden: boolean;
  frontends: string[];
  history: Transition[];
  last: { code: string; detail: string; ok: boolean } | null;
  stale_since_s: number | null;
  void: string;
}

export interface Member {
  pool: string;
  backend: string;
  address: string;
  state: BackendState;
  configured: number;
  weight: number;
  overridden: boolean;
  effective: number;
  table: number;
  reason: string;
  dataplane: number | null;
  buckets: number | null;
  flows: number | null;
}

export interface Frontend {
  name: string;
  description: string;
  vip: string;
  state: "unknown" | "up" | "down";
  pool: string;
  why: string;
  pools: string[];
  members: Member[];
  length: number;
  step: number;
  sticky: boolean;
  flush: boolean;
  none_up: string;
  holding: boolean;
  released: boolean;
  in_sync: boolean | null;
  drift: string[];
}

export interface Check {
  name: string;
  type: string;
  port: number | null;
  interval_s: number;
  fast_s: number;
  down_s: number;
  timeout_s: number;
  rise: number;
  fall: number;
}

export interface Dataplane {
  name: string;
  connected: boolean;
  observing: boolean;
  detail: string;
  info: {
    version: string;
    flow_hash: string;
    capabilities: string[];
    missing: string[];
    pid: number | null;
    boot_time_s: number | null;
    connected_at_s: number | null;
  } | null;
  vips: number | null;
  unmanaged: string[];
  drift: string[];
}

export interface Status {
  connected: boolean;
  answering: boolean;
  why: string;
  since_s: number;
  restarts: number;
  version: string;
  commit: string;
  started_at_s: number | null;
  loaded_at_s: number | null;
  warm: boolean | null;
  stalls: number;
  may_change: boolean;
  may_change_why: string;
}

export interface Counters {
  packets: Record<string, number>;
  route_packets: number | null;
  route_bytes: number | null;
  rates: Record<string, number> | null;
}

interface Messages {
  tx: number;
  rx: number;
  errors: number;
}

/** Messages of the dataplane's own API: since the daemon started, and a second. */
export interface Talk extends Messages {
  rates: Messages | null;
}

export interface Activity {
  total: Talk;
  messages: (Talk & { message: string })[];
  more: number;
}

/** Seconds since the epoch, milliseconds, code. */
export type Beat = [number, number, string];

export interface Happening {
  n: number;
  lost: number;
  kind: string;
  at_s: number;
  [field: string]: unknown;
}

export interface DaemonState {
  frontends: Record<string, Frontend>;
  backends: Record<string, Backend>;
  checks: Record<string, Check>;
  dataplane: Dataplane | null;
  order: string[];
}

export interface Daemon {
  name: string;
  status: Status;
  counters: Record<string, Counters>;
  activity: Activity | null;
  /** Backends whose beats come unasked; of more backends, those that are looked at. */
  followed: number;
  beats: Record<string, Beat[]>;
  events: Happening[];
  state: DaemonState;
}

export interface Shares {
  weights: Record<string, number>;
  table_weights: Record<string, number>;
  buckets: Record<string, number>;
}

export interface Preview {
  frontends: {
    frontend: string;
    before: Shares;
    after: Shares;
    moved: number;
    moved_avoidable: number;
    operations: string[];
    flushed: string[];
  }[];
  messages: string[];
}

export interface Result {
  changed: boolean;
  messages: string[];
  errors: string[];
}

export interface Order {
  maglevd: string;
  command: string;
  arguments: Record<string, string | number | boolean>;
}

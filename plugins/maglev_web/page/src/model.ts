// The state of the page: fetched once, then kept up to date by the stream of events.

import { batch, createSignal } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import type { Daemon, DaemonMessage, DaemonState, Probe, Traffic } from "./daemon";
import { vipText } from "./format";
import type { Event } from "./messages";
import { readShown } from "./shown";

const PROBES = 90;
const EVENTS = 500;
const SILENT_MS = 40_000; // the server says something every 15 s
const SLEPT_MS = 10_000;

interface Model {
  order: string[];
  daemons: Record<string, Daemon>;
}

const [model, setModel] = createStore<Model>({ order: [], daemons: {} });
const [link, setLink] = createSignal<"opening" | "open" | "lost">("opening");
const [now, setNow] = createSignal(Date.now() / 1000);
const [events, setEvents] = createSignal<Record<string, Event[]>>({});
let skew_s = 0;
let source: EventSource | null = null;
let heard = Date.now();
let ticked = Date.now();
let attempt = 0;

export { events, link, model, now };

interface Message {
  maglevd: string;
  kind: "status" | "state" | "event" | "probes" | "counters" | "activity";
  data: unknown;
}

function takeState(name: string, changes: Partial<DaemonState>): void {
  for (const table of ["frontends", "backends", "healthchecks"] as const) {
    for (const [key, value] of Object.entries(changes[table] ?? {})) {
      // `undefined` removes a key from a store.
      if (value === null) setModel("daemons", name, "state", table, key, undefined as never);
      else setModel("daemons", name, "state", table, key, reconcile(value as never));
    }
  }
  if (changes.vips !== undefined) setModel("daemons", name, "state", "vips", changes.vips);
  if (changes.dataplane) setModel("daemons", name, "state", "dataplane", reconcile(changes.dataplane));
  if (changes.order) setModel("daemons", name, "state", "order", changes.order);
}

function takeProbes(name: string, fresh: Record<string, Probe[]>): void {
  for (const [backend, probes] of Object.entries(fresh)) {
    setModel("daemons", name, "probes", backend, (old: Probe[] | undefined) => {
      // What was asked for and what comes by itself overlap.
      const newest = old?.[old.length - 1]?.[0] ?? 0;
      return [...(old ?? []), ...probes.filter(([at_s]) => at_s > newest)].slice(-PROBES);
    });
  }
}

/** Take the probes of the backends that are followed, and keep no others. */
export function takeFollowed(name: string, probes: Record<string, Probe[]>): void {
  batch(() => {
    for (const backend of Object.keys(model.daemons[name]?.probes ?? {}))
      if (!(backend in probes)) setModel("daemons", name, "probes", backend, undefined as never);
    takeProbes(name, probes);
  });
}

const byVip = (all: Traffic[]) => Object.fromEntries(all.map((one) => [vipText(one.vip), one]));

function take(message: Message): void {
  const name = message.maglevd;
  if (!model.daemons[name]) return;
  if (message.kind === "state") takeState(name, message.data as Partial<DaemonState>);
  else if (message.kind === "probes") takeProbes(name, message.data as Record<string, Probe[]>);
  else if (message.kind === "counters") setModel("daemons", name, "counters", reconcile(byVip(message.data as Traffic[])));
  else if (message.kind === "activity") setModel("daemons", name, "activity", reconcile(message.data as never));
  else if (message.kind === "status") setModel("daemons", name, "status", reconcile(message.data as never));
  else setEvents((all) => ({ ...all, [name]: [message.data as Event, ...(all[name] ?? [])].slice(0, EVENTS) }));
}

// Messages that come together are worked on together, once a frame: 200 events a second are 60 updates at most.
let waiting: Message[] = [];

function work(): void {
  const messages = waiting;
  waiting = [];
  batch(() => messages.forEach(take));
}

function gather(message: Message): void {
  if (waiting.push(message) === 1) {
    // A hidden page gets no frames, and is kept up to date nevertheless.
    if (document.hidden) setTimeout(work, 500);
    else requestAnimationFrame(work);
  }
}

function takeAll(everything: { at_s: number; maglevds: DaemonMessage[] }): void {
  skew_s = everything.at_s - Date.now() / 1000;
  waiting = [];
  batch(() => {
    setModel("order", everything.maglevds.map((daemon) => daemon.name));
    for (const daemon of everything.maglevds) {
      const { events: newest, counters, ...rest } = daemon;
      const kept: Daemon = { ...rest, counters: byVip(counters), events: [] };
      const old = model.daemons[daemon.name];
      if (old) setModel("daemons", daemon.name, reconcile(kept));
      else setModel("daemons", daemon.name, kept);
      setEvents((all) => ({ ...all, [daemon.name]: [...newest].reverse() }));
    }
  });
}

async function open(): Promise<void> {
  const mine = ++attempt;
  source?.close();
  heard = Date.now();
  try {
    const answer = await fetch("/view/api/state", { cache: "no-store", signal: AbortSignal.timeout(20_000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const everything = readShown(await answer.text());
    if (mine !== attempt) return;
    takeAll(everything);
    listen(everything.id);
  } catch {
    if (mine !== attempt) return;
    setLink("lost");
    setTimeout(() => mine === attempt && open(), 1000);
  }
}

function listen(since: string): void {
  const stream = new EventSource(`/view/api/events?since=${encodeURIComponent(since)}`);
  source = stream;
  const hear = () => {
    heard = Date.now();
    setLink("open");
  };
  stream.onopen = hear;
  stream.addEventListener("ping", hear);
  stream.addEventListener("reset", () => stream === source && open());
  stream.onmessage = (event) => {
    if (stream !== source) return;
    hear();
    gather(readShown(event.data));
  };
  stream.onerror = () => {
    if (stream !== source) return;
    setLink("lost");
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => stream === source && open(), 1000);
  };
}

function tick(): void {
  const time = Date.now();
  const slept = time - ticked > SLEPT_MS;
  ticked = time;
  setNow(time / 1000 + skew_s);
  if ((slept && !document.hidden) || time - heard > SILENT_MS) open();
}

export function start(): void {
  open();
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) tick();
  });
}

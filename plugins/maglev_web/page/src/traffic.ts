// What each VIP carried a second, of late. Kept for all, so that a chart that is opened has a past, and drawn for few.

import { createSignal } from "solid-js";
import type { Traffic } from "./daemon";
import { model, now } from "./model";

export const KINDS = ["existing", "first", "untracked", "no_server"] as const;
const EVERY_MS = 2000; // as often as the server reads them
const KEPT = 150;
const VIPS = 1000;

export interface History {
  at_s: number[];
  packets: (number | null)[];
  octets: (number | null)[];
}

const NONE: History = { at_s: [], packets: [], octets: [] };
const histories = new Map<string, History>();
const [sampled, setSampled] = createSignal(0);

/** Packets a second of all kinds, or `null` where there is nothing to compare with. */
export function packetRate(counters: Traffic | undefined): number | null {
  const rates = counters?.rates;
  return rates ? KINDS.reduce((sum, kind) => sum + (rates[kind] ?? 0), 0) : null;
}

function note(key: string, counters: Traffic, known: boolean): void {
  const history = histories.get(key) ?? { at_s: [], packets: [], octets: [] };
  histories.set(key, history);
  history.at_s.push(now());
  history.packets.push(known ? packetRate(counters) : null);
  history.octets.push(known ? (counters.rates?.["route_bytes"] ?? null) : null);
  if (history.at_s.length > KEPT) for (const values of [history.at_s, history.packets, history.octets]) values.shift();
}

function sample(): void {
  const seen = new Set<string>();
  for (const name of model.order) {
    const daemon = model.daemons[name]!;
    for (const vip of Object.keys(daemon.counters)) {
      if (seen.size >= VIPS) break;
      const key = `${name}/${vip}`;
      seen.add(key);
      note(key, daemon.counters[vip]!, daemon.status.connected);
    }
  }
  for (const key of histories.keys()) if (!seen.has(key)) histories.delete(key);
  setSampled((old) => old + 1);
}

export function historyOf(name: string, vip: string): History {
  sampled();
  const kept = histories.get(`${name}/${vip}`);
  return kept ? { ...kept } : NONE;
}

setInterval(sample, EVERY_MS);

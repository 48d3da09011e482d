// Events: of which kind one is, and how it reads.

import { whyText } from "./format";
import { EventKinds, type Event, type EventKind, type SyncEvent } from "./messages";

/** The kinds that are shown: probes are drawn. */
export const KINDS = EventKinds.filter((kind) => kind !== "probe");

export const kindOf = (event: Event): EventKind => EventKinds.find((kind) => event[kind])!;
export const timeOf = (event: Event): number => event[kindOf(event)]!.at_s;

function countsText(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ");
}

/** What was written to a dataplane, and what failed. */
export function writesText(sync: SyncEvent): string {
  const failed = sync.errors.length ? `; failed: ${sync.errors.join("; ")}` : "";
  return `${countsText(sync.operations) || "nothing to do"}${failed}`;
}

function pairsText(fields: object): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}

/** How an event of each kind reads; any other as its fields. */
const TEXTS: { [K in EventKind]?: (event: NonNullable<Event[K]>) => string } = {
  backend: ({ backend, transition }) =>
    `${backend}: ${transition.from_state} → ${transition.to_state} ${transition.result?.code ?? ""} ${whyText(transition)}`,
  frontend: (one) => `${one.frontend}: ${one.from_state} → ${one.to_state}, pool ${one.active_pool} ${one.why}`,
  weight: (one) => `${one.frontend} ${one.pool} ${one.backend}: ${one.previous} → ${one.effective} (${one.reason})`,
  sync: (one) => `${one.scope}: ${writesText(one)}`,
  dataplane: (one) => `${one.name} ${one.change} ${one.detail}`,
  lag: (one) => `stalled for ${one.lag_s.toFixed(3)} s`,
  log: (one) => `${one.level}: ${one.message} ${pairsText(one.fields)}`,
};

export function eventText(event: Event): string {
  const kind = kindOf(event);
  const text = TEXTS[kind] as ((body: unknown) => string) | undefined;
  return text ? text(event[kind]) : pairsText(event[kind]!);
}

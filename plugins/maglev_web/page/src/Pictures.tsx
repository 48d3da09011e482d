// Small drawings of a backend's past, and of who gets a frontend's new flows.

import { createMemo, For, Show } from "solid-js";
import { age, milliseconds, percent } from "./format";
import type { BackendState, Frontend, Transition } from "./messages";
import { shares } from "./condition";
import type { Probe } from "./daemon";
import { now } from "./model";


const WIDE = 100;
const HIGH = 20;
const DRAWN = 60;
const WINDOWS_S = [120, 600, 3600, 6 * 3600]; // the shortest that shows the first of what is known

export function Sparkline(props: { probes: Probe[] | undefined }) {
  const probes = () => (props.probes ?? []).slice(-DRAWN);
  const top = () => Math.max(1, ...probes().map(([, ms]) => ms));
  const x = (index: number) => ((index + DRAWN - probes().length) / (DRAWN - 1)) * (WIDE - 2) + 1;
  const y = (value: number) => HIGH - 2 - (value / top()) * (HIGH - 4);
  const line = () => probes().map(([, ms], index) => `${x(index).toFixed(1)},${y(ms).toFixed(1)}`).join(" ");
  const newest = () => probes()[probes().length - 1];
  const words = () =>
    newest() ? `latency of the last ${probes().length} probes, now ${milliseconds(newest()![1])}` : "no probes";
  return (
    <svg class="spark" viewBox={`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img" aria-label={words()}>
      <polyline points={line()} />
      <For each={probes()}>
        {([, , code], index) => (
          <Show when={!code.endsWith("OK")}>
            <rect class="miss" x={x(index()) - 0.7} y="1" width="1.4" height={HIGH - 2} />
          </Show>
        )}
      </For>
    </svg>
  );
}

interface Span {
  state: BackendState;
  from: number;
  to: number;
}

function spans(history: Transition[], state: BackendState, start: number, end: number): Span[] {
  const made: Span[] = [];
  let to = end;
  let current = state;
  for (const change of [...history].reverse()) {
    made.push({ state: current, from: Math.max(change.at_s, start), to });
    to = change.at_s;
    current = change.from_state;
    if (to < start) return made.reverse();
  }
  if (history.length === 0) made.push({ state, from: start, to });
  return made.reverse();
}

export function Timeline(props: { history: Transition[]; state: BackendState }) {
  // Every ten seconds is often enough for an hour's width.
  const end = createMemo(() => Math.max(Math.ceil(now() / 10) * 10, props.history[props.history.length - 1]?.at_s ?? 0));
  const window_s = createMemo(() => {
    const known_s = end() - (props.history[0]?.at_s ?? end() - 3600);
    return WINDOWS_S.find((one) => one >= known_s) ?? WINDOWS_S[WINDOWS_S.length - 1]!;
  });
  const start = () => end() - window_s();
  const drawn = createMemo(() => spans(props.history, props.state, start(), end()).filter((one) => one.to > one.from));
  const x = (at: number) => Math.max(0, ((at - start()) / window_s()) * WIDE);
  const changes = () => props.history.filter((one) => one.at_s > start()).length;
  return (
    <svg
      class="timeline"
      viewBox={`0 0 ${WIDE} 10`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`last ${window_s() / 60} minutes: ${changes()} changes, now ${props.state}`}
    >
      <For each={drawn()}>
        {(span) => (
          <rect data-state={span.state} x={x(span.from)} y="0" height="10" width={Math.max(0.8, x(span.to) - x(span.from))}>
            <title>
              {span.state} for {age(span.to - span.from)}
            </title>
          </rect>
        )}
      </For>
    </svg>
  );
}

export function ShareBar(props: { frontend: Frontend }) {
  const parts = createMemo(() => shares(props.frontend));
  const words = () => {
    const named = props.frontend.members
      .map((member, index) => ({ name: member.backend, share: parts()[index] ?? 0 }))
      .filter((one) => one.share > 0)
      .map((one) => `${one.name} ${percent(one.share)}`);
    return named.length ? `new flows: ${named.join(", ")}` : "no server gets new flows";
  };
  return (
    <div class="shares" role="img" aria-label={words()} title={words()}>
      <For each={props.frontend.members}>
        {(_, index) => (
          <span class="part" data-colour={index() % 8} style={{ "flex-grow": String(parts()[index()] ?? 0) }} />
        )}
      </For>
    </div>
  );
}

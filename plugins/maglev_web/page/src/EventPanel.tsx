// What happens, newest first.

import { createMemo, createSignal, For, onCleanup, onMount } from "solid-js";
import { clock } from "./format";
import { logs, readLogs } from "./logs";
import { events } from "./model";
import type { Happening, Transition } from "./types";

const KINDS = ["backend", "frontend", "weight", "sync", "dataplane", "lag", "log"];
const LEVELS = ["debug", "info", "warning", "error", "critical"];
const SHOWN = 150;

/** Two lists, each newest first, as one. */
function merged(some: Happening[], others: Happening[]): Happening[] {
  const all: Happening[] = [];
  let other = 0;
  for (const one of some) {
    while (other < others.length && others[other]!.at_s >= one.at_s) all.push(others[other++]!);
    all.push(one);
  }
  return all.concat(others.slice(other));
}

export function EventPanel(props: { name: string }) {
  const [text, setText] = createSignal("");
  const [kind, setKind] = createSignal("");
  const [held, setHeld] = createSignal<Happening[] | null>(null);
  const [level, setLevel] = createSignal("info");
  const fresh = createMemo(() => merged(events()[props.name] ?? [], logs()[props.name] ?? []));
  const all = () => held() ?? fresh();
  const loud = (one: Happening) => one.kind !== "log" || LEVELS.indexOf(String(one["level"])) >= LEVELS.indexOf(level());
  onMount(() => onCleanup(readLogs()));
  const shown = createMemo(() => {
    const wanted = text().trim().toLowerCase();
    return all()
      .filter((one) => (!kind() || one.kind === kind()) && loud(one) && (!wanted || tell(one).toLowerCase().includes(wanted)))
      .slice(0, SHOWN);
  });
  return (
    <section class="panel" aria-labelledby="events-title" data-panel="events">
      <div class="toolbar">
        <h2 id="events-title">events</h2>
        <span class="grow" />
        <select aria-label="kind of events" value={kind()} onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="">all kinds</option>
          <For each={KINDS}>{(one) => <option value={one}>{one}</option>}</For>
        </select>
        <select aria-label="least level of log records" value={level()} onChange={(event) => setLevel(event.currentTarget.value)}>
          <For each={LEVELS.slice(1, 4)}>{(one) => <option value={one}>log: {one}</option>}</For>
        </select>
        <input type="search" placeholder="filter" aria-label="filter events" value={text()} onInput={(event) => setText(event.currentTarget.value)} />
        <button type="button" aria-pressed={held() !== null} onClick={() => setHeld(held() ? null : fresh())}>
          {held() ? "Go on" : "Pause"}
        </button>
      </div>
      <ol class="events" tabindex="0" aria-label="events, newest first">
        <For each={shown()} fallback={<li class="faint">nothing yet</li>}>
          {(one) => (
            <li data-kind={one.kind} data-level={one["level"] as string | undefined}>
              <time>{clock(one.at_s)}</time> <span class="kind">{one.kind}</span> <span>{tell(one)}</span>
            </li>
          )}
        </For>
      </ol>
    </section>
  );
}

interface WireTransition extends Omit<Transition, "from" | "to" | "code"> {
  from_state: string;
  to_state: string;
  result: { code: string; detail: string } | null;
}

function tell(one: Happening): string {
  const field = (name: string) => String(one[name] ?? "");
  switch (one.kind) {
    case "backend": {
      const change = one["transition"] as WireTransition;
      const why = change.result ? `${change.result.code} ${change.result.detail}` : change.why;
      return `${field("backend")}: ${change.from_state} → ${change.to_state} ${why}`;
    }
    case "frontend":
      return `${field("frontend")}: ${field("from_state")} → ${field("to_state")}, pool ${field("active_pool")} ${field("why")}`;
    case "weight":
      return `${field("frontend")} ${field("pool")} ${field("backend")}: ${field("previous")} → ${field("effective")} (${field("reason")})`;
    case "sync": {
      const operations = Object.entries(one["operations"] as Record<string, number>).map(([what, count]) => `${count} ${what}`);
      const errors = one["errors"] as string[];
      return `${field("scope")}: ${operations.join(", ") || "nothing to do"}${errors.length ? `; failed: ${errors.join("; ")}` : ""}`;
    }
    case "dataplane":
      return `${field("name")} ${field("change")} ${field("detail")}`;
    case "lag":
      return `stalled for ${Number(one["lag_s"]).toFixed(3)} s`;
    case "log": {
      const fields = Object.entries(one["fields"] as Record<string, string>).map(([name, value]) => `${name}=${value}`);
      return `${field("level")}: ${field("message")} ${fields.join(" ")}`;
    }
    default:
      return JSON.stringify(one);
  }
}

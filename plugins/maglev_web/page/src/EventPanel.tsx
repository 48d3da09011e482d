// What happens, newest first.

import { createMemo, createSignal, For } from "solid-js";
import { clock } from "./format";
import { events } from "./model";
import type { Happening, Transition } from "./types";

const KINDS = ["backend", "frontend", "weight", "sync", "dataplane", "lag"];
const SHOWN = 150;

export function EventPanel(props: { name: string }) {
  const [text, setText] = createSignal("");
  const [kind, setKind] = createSignal("");
  const [held, setHeld] = createSignal<Happening[] | null>(null);
  const all = () => held() ?? events()[props.name] ?? [];
  const shown = createMemo(() => {
    const wanted = text().trim().toLowerCase();
    return all()
      .filter((one) => (!kind() || one.kind === kind()) && (!wanted || tell(one).toLowerCase().includes(wanted)))
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
        <input type="search" placeholder="filter" aria-label="filter events" value={text()} onInput={(event) => setText(event.currentTarget.value)} />
        <button type="button" aria-pressed={held() !== null} onClick={() => setHeld(held() ? null : (events()[props.name] ?? []))}>
          {held() ? "Go on" : "Pause"}
        </button>
      </div>
      <ol class="events" tabindex="0" aria-label="events, newest first">
        <For each={shown()} fallback={<li class="faint">nothing yet</li>}>
          {(one) => (
            <li data-kind={one.kind}>
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
    default:
      return JSON.stringify(one);
  }
}

// What happens, newest first.

import { createMemo, createSignal, For, onCleanup, onMount } from "solid-js";
import { eventText, KINDS, kindOf, timeOf } from "./events";
import { clock } from "./format";
import { logs, readLogs } from "./logs";
import type { Event } from "./messages";
import { events } from "./model";

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const SHOWN = 150;

/** Two lists, each newest first, as one. */
function merged(some: Event[], others: Event[]): Event[] {
  const all: Event[] = [];
  let other = 0;
  for (const one of some) {
    while (other < others.length && timeOf(others[other]!) >= timeOf(one)) all.push(others[other++]!);
    all.push(one);
  }
  return all.concat(others.slice(other));
}

export function EventPanel(props: { name: string }) {
  const [text, setText] = createSignal("");
  const [kind, setKind] = createSignal("");
  const [held, setHeld] = createSignal<Event[] | null>(null);
  const [level, setLevel] = createSignal("info");
  const fresh = createMemo(() => merged(events()[props.name] ?? [], logs()[props.name] ?? []));
  const all = () => held() ?? fresh();
  const isShown = (one: Event) => !one.log || LEVELS.indexOf(one.log.level) >= LEVELS.indexOf(level());
  onMount(() => onCleanup(readLogs()));
  const shown = createMemo(() => {
    const wanted = text().trim().toLowerCase();
    return all()
      .filter((one) => (!kind() || kindOf(one) === kind()) && isShown(one) && (!wanted || eventText(one).toLowerCase().includes(wanted)))
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
            <li data-kind={kindOf(one)} data-level={one.log?.level}>
              <time>{clock(timeOf(one))}</time> <span class="kind">{kindOf(one)}</span> <span>{eventText(one)}</span>
            </li>
          )}
        </For>
      </ol>
    </section>
  );
}

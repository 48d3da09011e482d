// What a change would do, as its preview tells it.

import { For, Show } from "solid-js";
import { precisePercent } from "./format";
import type { FrontendPreview, Preview, Shares } from "./messages";
import { model } from "./model";

export function PreviewView(props: { preview: Preview; maglevd: string }) {
  const others = () => {
    const told = new Set(props.preview.frontends.flatMap((one) => one.operations));
    return props.preview.operations.filter((one) => !told.has(one));
  };
  return (
    <>
      <For each={props.preview.messages}>{(one) => <p>{one}</p>}</For>
      <Show when={props.preview.backends.length}>
        <p>
          <For each={props.preview.backends}>
            {(one, index) => (
              <>
                {index() ? ", " : ""}
                {one.backend}: <States before={one.before} after={one.after} />
              </>
            )}
          </For>
        </p>
      </Show>
      <For each={props.preview.frontends} fallback={<p class="faint">No frontend's new flows change.</p>}>
        {(one) => <FrontendView preview={one} maglevd={props.maglevd} />}
      </For>
      <Show when={others().length}>
        <Writes operations={others()} what="other write" />
      </Show>
    </>
  );
}

function FrontendView(props: { preview: FrontendPreview; maglevd: string }) {
  const before = () => props.preview.before;
  const after = () => props.preview.after;
  const members = () => model.daemons[props.maglevd]?.state.frontends[props.preview.frontend]?.members ?? [];
  const address = (name: string) => members().find((member) => member.backend === name)?.address ?? "";
  // In the order, and the colours, of the card.
  const place = (name: string) => Math.max(0, members().findIndex((member) => member.backend === name));
  const names = () => Object.keys({ ...before().weights, ...after().weights }).sort((a, b) => place(a) - place(b));
  const colour = (name: string) => place(name) % 8;
  const buckets = (of: Shares, name: string) => of.buckets[address(name)] ?? 0;
  return (
    <div class="effect">
      <h3>{props.preview.frontend}</h3>
      <p>
        <b data-testid="moved">{precisePercent(props.preview.moved)}</b> of new flows move
        {props.preview.moved_avoidable ? `, ${precisePercent(props.preview.moved_avoidable)} of those of servers that stay` : ""}
      </p>
      <Show when={before().state !== after().state}>
        <p>
          state: <States before={before().state} after={after().state} />
        </p>
      </Show>
      <Show when={before().active_pool !== after().active_pool}>
        <p>
          active pool: <States before={before().active_pool} after={after().active_pool} />
        </p>
      </Show>
      <Bars label="now" of={before()} names={names()} buckets={buckets} colour={colour} />
      <Bars label="then" of={after()} names={names()} buckets={buckets} colour={colour} />
      <table class="compare">
        <thead>
          <tr>
            <th scope="col">backend</th>
            <th scope="col" class="number">weight</th>
            <th scope="col" class="number">buckets</th>
          </tr>
        </thead>
        <tbody>
          <For each={names()}>
            {(name) => (
              <tr>
                <th scope="row"><span class="swatch" data-colour={colour(name)} aria-hidden="true" />{name}</th>
                <td class="number"><Pair before={before().weights[name] ?? 0} after={after().weights[name] ?? 0} /></td>
                <td class="number"><Pair before={buckets(before(), name)} after={buckets(after(), name)} /></td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
      <Show when={props.preview.flushed.length}>
        <p class="alarm">established flows are flushed: {props.preview.flushed.join(", ")}</p>
      </Show>
      <Show when={props.preview.operations.length} fallback={<p class="faint">Nothing is written to the dataplane.</p>}>
        <Writes operations={props.preview.operations} what="write" />
      </Show>
    </div>
  );
}

function Writes(props: { operations: string[]; what: string }) {
  return (
    <details>
      <summary>
        {props.operations.length} {props.what}{props.operations.length === 1 ? "" : "s"} to the dataplane
      </summary>
      <ol>
        <For each={props.operations}>{(operation) => <li>{operation}</li>}</For>
      </ol>
    </details>
  );
}

/** What is before and after; nothing where something comes or goes. */
function States(props: { before: string | null; after: string | null }) {
  return (
    <>
      <span class="faint">{props.before || "not there"} → </span>
      <b data-state={props.after ?? undefined}>{props.after || "gone"}</b>
    </>
  );
}

function Pair(props: { before: number; after: number }) {
  return (
    <Show when={props.before !== props.after} fallback={<>{props.after}</>}>
      <span class="faint">{props.before} → </span>
      <b>{props.after}</b>
    </Show>
  );
}

interface BarsProps {
  label: string;
  of: Shares;
  names: string[];
  buckets: (of: Shares, name: string) => number;
  colour: (name: string) => number;
}

function Bars(props: BarsProps) {
  const total = () => Object.values(props.of.buckets).reduce((sum, part) => sum + part, 0);
  const share = (name: string) => (total() ? props.buckets(props.of, name) / total() : 0);
  return (
    <div class="labelled" aria-hidden="true">
      <span class="faint">{props.label}</span>
      <div class="shares">
        <For each={props.names}>
          {(name) => <span class="part" data-colour={props.colour(name)} style={{ "flex-grow": String(share(name)) }} />}
        </For>
      </div>
    </div>
  );
}

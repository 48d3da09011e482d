// One frontend: closed, a line; open, its pools and backends.

import { createEffect, createMemo, createSignal, For, type JSX, onCleanup, onMount, Show } from "solid-js";
import { ask, isAdmin } from "./admin";
import { quantity, vipText } from "./format";
import { RatesChart } from "./Chart";
import type { Daemon } from "./daemon";
import { createHeight } from "./heights";
import { Icon } from "./Icon";
import { condition, differs, shares, WORDS } from "./condition";
import { Flash } from "./Live";
import type { Frontend } from "./messages";
import { whenNear } from "./near";
import { Row } from "./Row";
import { ShareBar } from "./Pictures";
import { isOpen, setOpen } from "./prefs";
import { historyOf, packetRate } from "./traffic";
import { followProbes } from "./visible";

export function Card(props: { daemon: Daemon; name: string; openByDefault: boolean }) {
  const frontend = () => props.daemon.state.frontends[props.name]!;
  return (
    <Show when={frontend()}>
      <CardOf daemon={props.daemon} frontend={frontend()} openByDefault={props.openByDefault} />
    </Show>
  );
}

function CardOf(props: { daemon: Daemon; frontend: Frontend; openByDefault: boolean }) {
  const key = () => `${props.daemon.name}/${props.frontend.name}`;
  const open = () => isOpen(key(), props.openByDefault);
  const state = createMemo(() => condition(props.frontend));
  // Of few cards all have their rows, for a browser's own search; of many those near the window.
  const [near, setNear] = createSignal(props.openByDefault);
  const charted = () => isOpen(`${key()}//rates`, false);
  const height = createHeight(() => ({ pools: props.frontend.pools.length, members: props.frontend.members.length, charted: charted() }));
  let article!: HTMLElement;
  const [visible, setVisible] = createSignal(false);
  onMount(() => {
    const tell = (isNear: boolean) => {
      setVisible(isNear);
      setNear(isNear || props.openByDefault);
    };
    onCleanup(whenNear(article, tell));
  });
  createEffect(() => {
    if (open() && visible()) onCleanup(followProbes(props.daemon.name, props.frontend.name));
  });
  const id = () => `card-${encodeURIComponent(props.frontend.name)}`;
  const vip = () => vipText(props.frontend.vip);
  const traffic = () => props.daemon.counters[vip()];
  const rate = () => packetRate(traffic());
  return (
    <article ref={article} class="card" data-condition={state()} data-frontend={props.frontend.name} aria-labelledby={`${id()}-name`}>
      <h2>
        <button type="button" class="fold" aria-expanded={open()} aria-controls={id()} onClick={() => setOpen([key()], !open())}>
          <Icon name="chevron" />
          <span class="mark" data-condition={state()}>
            <Icon name={state()} />
          </span>
          <span class="name" id={`${id()}-name`}>
            {props.frontend.name}
          </span>
          <span class="word">
            <Flash value={props.frontend.holding ? "holding" : WORDS[state()]} />
          </span>
          <span class="vip">{vip()}</span>
          <span class="rate">
            <Show when={rate() !== null}>{quantity(rate()!)} packets/s</Show>
          </span>
        </button>
      </h2>
      <ShareBar frontend={props.frontend} />
      <Show when={differs(props.frontend)}>
        <p class="drift" data-condition="differs">
          <Icon name="differs" /> dataplane differs{props.frontend.drift.length ? `: ${props.frontend.drift.join("; ")}` : ""}
        </p>
      </Show>
      <Show when={open()}>
        <Show when={near()} fallback={<div id={id()} style={{ height: `${height.px()}px` }} />}>
        <Body id={id()} watch={height.watch}>
          <p class="about">
            <Show when={props.frontend.description}>{props.frontend.description} · </Show>
            {props.frontend.why} · {props.frontend.table_length} buckets
            {props.frontend.sticky ? " · sticky by source" : ""}
            {props.frontend.released ? "" : " · warming up: nothing is written yet"}
            {props.frontend.in_sync === null ? " · no dataplane" : ""}
            {" "}
            <Show when={traffic()}>
              <button type="button" class="quiet" aria-expanded={charted()} onClick={() => setOpen([`${key()}//rates`], !charted())}>
                {charted() ? "Hide traffic" : "Traffic"}
                <span class="hidden"> of {props.frontend.name}</span>
              </button>
            </Show>
            <Show when={isAdmin}>
              {" "}
              <FrontendActions daemon={props.daemon} frontend={props.frontend} />
            </Show>
          </p>
          <Show when={charted() && traffic()}>
            {(counters) => (
              <RatesChart
                history={historyOf(props.daemon.name, vip())}
                now={counters()}
                name={props.frontend.name}
              />
            )}
          </Show>
          <Pools daemon={props.daemon} frontend={props.frontend} />
        </Body>
        </Show>
      </Show>
    </article>
  );
}

function Body(props: { id: string; watch: (body: Element) => () => void; children: JSX.Element }) {
  let body!: HTMLDivElement;
  onMount(() => onCleanup(props.watch(body)));
  return (
    <div id={props.id} ref={body} class="body">
      {props.children}
    </div>
  );
}

function Pools(props: { daemon: Daemon; frontend: Frontend }) {
  const parts = createMemo(() => shares(props.frontend));
  const rows = createMemo(() => props.frontend.members.map((member, index) => ({ pool: member.pool, index })));
  return (
    <table role="table" class="pools" classList={{ acting: isAdmin }}>
      <caption class="hidden">backends of {props.frontend.name}</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col"><span class="hidden">heartbeat</span></th>
          <th role="columnheader" scope="col">backend</th>
          <th role="columnheader" scope="col" class="address">address</th>
          <th role="columnheader" scope="col">state</th>
          <th role="columnheader" scope="col" class="number">weight</th>
          <th role="columnheader" scope="col" class="number">effective</th>
          <th role="columnheader" scope="col" class="number buckets">buckets</th>
          <th role="columnheader" scope="col" class="number">share</th>
          <th role="columnheader" scope="col" class="drawn">latency</th>
          <th role="columnheader" scope="col" class="drawn">history</th>
          <th role="columnheader" scope="col">last change</th>
          <Show when={isAdmin}>
            <th role="columnheader" scope="col"><span class="hidden">actions</span></th>
          </Show>
        </tr>
      </thead>
      <For each={props.frontend.pools}>
        {(pool) => (
          <tbody role="rowgroup">
            <tr role="row" class="pool" data-active={pool === props.frontend.active_pool}>
              <th role="rowheader" scope="rowgroup" colspan={isAdmin ? 12 : 11}>
                pool {pool}
                <span class="faint">{pool === props.frontend.active_pool ? " active" : " standing by"}</span>
              </th>
            </tr>
            <For each={rows().filter((row) => row.pool === pool).map((row) => row.index)}>
              {(index) => (
                <Row
                  daemon={props.daemon}
                  frontend={props.frontend}
                  member={props.frontend.members[index]!}
                  index={index}
                  share={parts()[index] ?? 0}
                />
              )}
            </For>
          </tbody>
        )}
      </For>
    </table>
  );
}

function FrontendActions(props: { daemon: Daemon; frontend: Frontend }) {
  const name = () => props.frontend.name;
  return (
    <button type="button" class="quiet" onClick={() => ask({ maglevd: props.daemon.name, title: name(), names: { frontend: name() } })} aria-label={`sync ${name()}`}>
      Sync…
    </button>
  );
}

// One frontend: closed, a line; open, its pools and backends.

import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { isAdmin, setSubject } from "./admin";
import { quantity } from "./format";
import { Icon } from "./Icon";
import { condition, differs, shares, WORDS } from "./judge";
import { Flash } from "./Live";
import { whenNear } from "./near";
import { Row } from "./Row";
import { ShareBar } from "./Pictures";
import { isOpen, setOpen } from "./prefs";
import type { Daemon, Frontend } from "./types";

const ROW_PX = 44;

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
  const [height, setHeight] = createSignal(0);
  let article!: HTMLElement;
  let body: HTMLDivElement | undefined;
  const guess = () => ROW_PX * (props.frontend.members.length + props.frontend.pools.length + 2);
  onMount(() => {
    if (props.openByDefault) return;
    const tell = (isNear: boolean) => {
      if (!isNear && near() && body) setHeight(body.offsetHeight);
      setNear(isNear);
    };
    onCleanup(whenNear(article, tell));
  });
  const id = () => `card-${encodeURIComponent(props.frontend.name)}`;
  const rate = () => {
    const rates = props.daemon.counters[props.frontend.vip]?.rates;
    return rates ? (rates["existing"] ?? 0) + (rates["first"] ?? 0) + (rates["untracked"] ?? 0) : null;
  };
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
          <span class="vip">{props.frontend.vip}</span>
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
        <Show when={near()} fallback={<div id={id()} style={{ height: `${height() || guess()}px` }} />}>
        <div id={id()} ref={body} class="body">
          <p class="about">
            <Show when={props.frontend.description}>{props.frontend.description} · </Show>
            {props.frontend.why} · {props.frontend.length} buckets
            {props.frontend.sticky ? " · sticky by source" : ""}
            {props.frontend.released ? "" : " · warming up: nothing is written yet"}
            {props.frontend.in_sync === null ? " · no dataplane" : ""}
            <Show when={isAdmin}>
              {" "}
              <FrontendActions daemon={props.daemon} frontend={props.frontend} />
            </Show>
          </p>
          <Pools daemon={props.daemon} frontend={props.frontend} />
        </div>
        </Show>
      </Show>
    </article>
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
            <tr role="row" class="pool" data-active={pool === props.frontend.pool}>
              <th role="rowheader" scope="rowgroup" colspan={isAdmin ? 12 : 11}>
                pool {pool}
                <span class="faint">{pool === props.frontend.pool ? " active" : " standing by"}</span>
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
  const ask = () =>
    setSubject({
      maglevd: props.daemon.name,
      title: props.frontend.name,
      choices: [
        {
          command: "sync",
          label: "Sync",
          hint: "make the dataplane what this frontend's address should be",
          arguments: { frontend: props.frontend.name },
          switches: [{ name: "recreate", label: "recreate VIPs where only that helps (established flows are lost)" }],
        },
      ],
    });
  return (
    <button type="button" class="quiet" onClick={ask} aria-label={`sync ${props.frontend.name}`}>
      Sync…
    </button>
  );
}

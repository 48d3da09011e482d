// One backend in one pool, and behind its name what else is known of it.

import { createSignal, For, Show } from "solid-js";
import { ask, isAdmin } from "./admin";
import type { Subject } from "./commands";
import { LatencyChart } from "./Chart";
import type { Daemon } from "./daemon";
import { age, milliseconds, moment, percent, whyText } from "./format";
import { Icon } from "./Icon";
import { Flash, Heart } from "./Live";
import type { Backend, Frontend, Member } from "./messages";
import { now } from "./model";
import { Sparkline, Timeline } from "./Pictures";


interface Props {
  daemon: Daemon;
  frontend: Frontend;
  member: Member;
  index: number;
  share: number;
}

export function Row(props: Props) {
  const [open, setOpen] = createSignal(false);
  const backend = (): Backend | undefined => props.daemon.state.backends[props.member.backend];
  const probes = () => props.daemon.probes[props.member.backend];
  const last = () => backend()?.history[backend()!.history.length - 1];
  // A dataplane tells its buckets when it is read; between a change and the next reading they follow from the weights.
  const buckets = () => props.member.buckets ?? (props.share ? `≈ ${Math.round(props.share * props.frontend.table_length)}` : 0);
  const stopped = () => props.member.state === "paused" || props.member.state === "disabled";
  return (
    <>
      <tr role="row" class="member" data-state={props.member.state} data-backend={props.member.backend} data-pool={props.member.pool}>
        <td role="cell" class="beat">
          <Heart probes={probes()} code={backend()?.last_result?.code} checked={backend()?.healthcheck != null} stopped={stopped()} />
        </td>
        <th role="rowheader" scope="row" class="who">
          <button type="button" class="plain" title={props.member.backend} aria-expanded={open()} onClick={() => setOpen(!open())}>
            <span class="swatch" data-colour={props.index % 8} aria-hidden="true" />
            {props.member.backend}
          </button>
        </th>
        <td role="cell" class="address">{props.member.address}</td>
        <td role="cell" class="state">
          <span class="badge" data-state={props.member.state}>
            <Icon name={props.member.state} />
            <Flash value={props.member.state} />
          </span>
          <Show when={backend()?.stale_since_s}>
            <span class="stale-since" title={`only void results (${backend()!.void_code})`}>
              stale for {age(now() - backend()!.stale_since_s!)}
            </span>
          </Show>
        </td>
        <td role="cell" class="number" data-label="weight" title={props.member.overridden ? `the file says ${props.member.configured_weight}` : undefined}>
          <Flash value={props.member.weight} />
          {props.member.overridden ? "*" : ""}
        </td>
        <td role="cell" class="number effective" data-label="effective" title={props.member.reason}>
          <Flash value={props.member.effective_weight} />
          <Show when={props.member.reason !== "configured"}>
            <span class="reason">{props.member.reason.replace(/^down since \S+: /, "down: ")}</span>
          </Show>
        </td>
        <td role="cell" class="number buckets" data-label="buckets">
          <Flash value={buckets()} />
        </td>
        <td role="cell" class="number share" data-label="share">
          <Flash value={percent(props.share)} />
        </td>
        <td role="cell" class="drawn spark-cell">
          <Sparkline probes={probes()} />
          <span class="latest">{probes()?.length ? milliseconds(probes()![probes()!.length - 1]![1]) : ""}</span>
        </td>
        <td role="cell" class="drawn">
          <Timeline history={backend()?.history ?? []} state={props.member.state} />
        </td>
        <td role="cell" class="change" title={last() ? `${moment(last()!.at_s)}: ${last()!.from_state} → ${last()!.to_state}, ${whyText(last()!)}` : undefined}>
          {last() ? age(now() - last()!.at_s) : "–"} <span class="code">{last()?.result?.code || last()?.why}</span>
        </td>
        <Show when={isAdmin}>
          <td role="cell" class="act">
            <button
              type="button"
              onClick={() => ask(subjectOf(props, backend()))}
              aria-label={`change ${props.member.backend} in ${props.frontend.name}`}
            >
              Change…
            </button>
          </td>
        </Show>
      </tr>
      <Show when={open() && backend()}>
        <tr role="row" class="detail">
          <td role="cell" colspan={isAdmin ? 12 : 11}>
            <Detail daemon={props.daemon} backend={backend()!} member={props.member} />
          </td>
        </tr>
      </Show>
    </>
  );
}

function Detail(props: { daemon: Daemon; backend: Backend; member: Member }) {
  const check = () => (props.backend.healthcheck ? props.daemon.state.healthchecks[props.backend.healthcheck] : undefined);
  const history = () => [...props.backend.history].reverse().slice(0, 12);
  return (
    <div class="details">
      <dl>
        <dt>address</dt>
        <dd>{props.backend.address}</dd>
        <dt>effective weight</dt>
        <dd>
          {props.member.effective_weight}: {props.member.reason}
        </dd>
        <dt>in the dataplane</dt>
        <dd>{props.member.dataplane_weight === null ? "not there" : `weight ${props.member.dataplane_weight} of the table`}</dd>
        <dt>health</dt>
        <dd>
          {props.backend.healthcheck ? `${props.backend.counter} of ${props.backend.counter_top}` : "no health check: always up"}
          <Show when={props.backend.overridden}> (changed by a command; the file says {props.backend.enabled ? "enabled" : "disabled"})</Show>
        </dd>
        <Show when={props.backend.last_result}>
          <dt>last result</dt>
          <dd>
            <span class="code">{props.backend.last_result!.code}</span> {props.backend.last_result!.detail}
          </dd>
        </Show>
        <Show when={check()}>
          <dt>health check</dt>
          <dd>
            {check()!.name}: {check()!.type}
            {check()!.port ? ` on port ${check()!.port}` : ""}, every {check()!.interval_s} s ({check()!.fast_interval_s} s in doubt,{" "}
            {check()!.down_interval_s} s down), time-out {check()!.timeout_s} s, rise {check()!.rise}, fall {check()!.fall}
          </dd>
        </Show>
        <dt>used by</dt>
        <dd>{props.backend.frontends.join(", ")}</dd>
      </dl>
      <Show when={props.backend.healthcheck}>
        <LatencyChart probes={props.daemon.probes[props.backend.name]} name={props.backend.name} />
      </Show>
      <ol class="history" aria-label={`transitions of ${props.backend.name}, newest first`}>
        <For each={history()} fallback={<li class="faint">no transition yet</li>}>
          {(one) => (
            <li>
              <span class="faint">{moment(one.at_s)}</span> {one.from_state} → <b data-state={one.to_state}>{one.to_state}</b>{" "}
              <span class="code">{one.result?.code}</span> {whyText(one)}
            </li>
          )}
        </For>
      </ol>
    </div>
  );
}

function subjectOf(props: Props, backend: Backend | undefined): Subject {
  const { member, frontend } = props;
  return {
    maglevd: props.daemon.name,
    title: `${member.backend} in ${frontend.name}, pool ${member.pool}`,
    names: { frontend: frontend.name, pool: member.pool, backend: member.backend, healthcheck: backend?.healthcheck ?? undefined },
    state: member.state,
    weight: { now: member.weight, configured: member.configured_weight },
    overridden: { state: backend?.overridden ?? false, weight: member.overridden },
  };
}

// The dataplane, and what its VIPs carry.

import { createMemo, For, Show } from "solid-js";
import type { Activity, Daemon, Traffic } from "./daemon";
import { writesText } from "./events";
import { age, moment, quantity, vipText } from "./format";
import { events, now } from "./model";
import { isOpen, setOpen } from "./prefs";
import { KINDS, packetRate } from "./traffic";

const SHOWN = 200; // busiest first; a page of thousands of numbers tells nobody anything

export function DataplanePanel(props: { daemon: Daemon }) {
  const plane = () => props.daemon.state.dataplane;
  const key = () => `${props.daemon.name}//dataplane`;
  const open = () => isOpen(key(), true);
  return (
    <Show when={plane()}>
      <section class="panel" aria-labelledby="dataplane-title" data-panel="dataplane">
        <h2 id="dataplane-title">
          <button type="button" class="fold" aria-expanded={open()} onClick={() => setOpen([key()], !open())}>
            dataplane {plane()!.name}
            <span class="badge" data-state={plane()!.connected ? "up" : "down"}>
              {plane()!.connected ? "connected" : "not connected"}
            </span>
            <Show when={plane()!.observing}>
              <span class="badge" data-state="paused">observing: nothing is written</span>
            </Show>
          </button>
        </h2>
        <Show when={open()}>
          <Show when={plane()!.detail}>
            <p class="alarm">{plane()!.detail}</p>
          </Show>
          <dl class="facts">
            <Show when={plane()!.info}>
              {(info) => (
                <>
                  <Fact name="version" value={info().version} />
                  <Fact name="up" value={info().boot_time_s ? age(now() - info().boot_time_s!) : "not told"} />
                  <Fact name="connected" value={info().connected_at_s ? `since ${moment(info().connected_at_s!)}` : "–"} />
                  <Fact name="flow hash" value={info().flow_hash} />
                  <Show when={info().pid}>
                    <Fact name="process" value={String(info().pid)} />
                  </Show>
                  <Show when={info().missing.length}>
                    <Fact name="lacks" value={info().missing.join("; ")} />
                  </Show>
                </>
              )}
            </Show>
            <Fact name="VIPs" value={String(props.daemon.state.vips ?? "–")} />
            <LastSync name={props.daemon.name} />
            <Show when={plane()!.drift.length}>
              <Fact name="differs" value={plane()!.drift.join(", ")} />
            </Show>
            <Show when={plane()!.unrouted.length}>
              <Fact name="no route to" value={plane()!.unrouted.join(", ")} />
            </Show>
            <Show when={plane()!.lost_bytes}>
              <Fact name="memory lost" value={`${(plane()!.lost_bytes! / 2 ** 20).toFixed(1)} MiB, by VIPs removed`} />
            </Show>
            <Show when={plane()!.unmanaged.length}>
              <Fact name="not ours" value={plane()!.unmanaged.map(vipText).join(", ")} />
            </Show>
          </dl>
          <div class="tables">
            <VipTraffic counters={props.daemon.counters} />
            <Show when={props.daemon.activity}>{(activity) => <DataplaneMessages activity={activity()} />}</Show>
          </div>
        </Show>
      </section>
    </Show>
  );
}

function Fact(props: { name: string; value: string }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.value}</dd>
    </div>
  );
}

/** What was last written, and whether it went well; a check that found nothing to do is no write. */
function LastSync(props: { name: string }) {
  const last = createMemo(() =>
    (events()[props.name] ?? [])
      .map((one) => one.sync)
      .find((sync) => sync && (Object.keys(sync.operations).length > 0 || sync.errors.length > 0)),
  );
  const words = () => {
    const one = last();
    if (!one) return "none seen";
    return `${age(now() - one.at_s)} ago (${one.scope}): ${writesText(one)}`;
  };
  return <Fact name="last writes" value={words()} />;
}

const second = (value: number | undefined) => (value === undefined ? "–" : quantity(value));

/** Messages of the dataplane's own API: how busy it is kept, and with what. */
function DataplaneMessages(props: { activity: Activity }) {
  const total = () => props.activity.total;
  return (
    <table class="traffic" data-table="messages">
      <caption>
        messages of its API: {quantity(total().tx)} sent, {quantity(total().rx)} received, {quantity(total().errors)} errors
        since maglevd started
      </caption>
      <thead>
        <tr>
          <th scope="col">message</th>
          <th scope="col" class="number">sent/s</th>
          <th scope="col" class="number">received/s</th>
          <th scope="col" class="number wide">sent</th>
          <th scope="col" class="number wide">received</th>
          <th scope="col" class="number">errors</th>
        </tr>
      </thead>
      <tbody>
        <For each={[{ message: "all", ...total() }, ...props.activity.messages]}>
          {(one) => (
            <tr>
              <th scope="row">{one.message}</th>
              <td class="number">{second(one.rates?.tx)}</td>
              <td class="number">{second(one.rates?.rx)}</td>
              <td class="number wide">{quantity(one.tx)}</td>
              <td class="number wide">{quantity(one.rx)}</td>
              <td class="number" classList={{ alarm: one.errors > 0 }}>{quantity(one.errors)}</td>
            </tr>
          )}
        </For>
      </tbody>
      <Show when={props.activity.more}>
        <tfoot>
          <tr>
            <td class="faint" colspan={6}>
              and {props.activity.more} more {props.activity.more === 1 ? "kind" : "kinds"} of messages
            </td>
          </tr>
        </tfoot>
      </Show>
    </table>
  );
}

function VipTraffic(props: { counters: Record<string, Traffic> }) {
  const vips = createMemo(() =>
    Object.entries(props.counters)
      .sort((a, b) => (packetRate(b[1]) ?? 0) - (packetRate(a[1]) ?? 0) || (a[0] < b[0] ? -1 : 1))
      .slice(0, SHOWN)
      .map((entry) => entry[0]),
  );
  const rate = (vip: string, kind: string) => {
    const rates = props.counters[vip]?.rates;
    return rates && kind in rates ? quantity(rates[kind]!) : "–";
  };
  return (
    <Show when={vips().length} fallback={<p class="faint">No counters from this dataplane yet.</p>}>
      <table class="traffic">
        <caption>what VIPs carry, packets a second</caption>
        <thead>
          <tr>
            <th scope="col">VIP</th>
            <th scope="col" class="number">known flows</th>
            <th scope="col" class="number">new flows</th>
            <th scope="col" class="number wide">untracked</th>
            <th scope="col" class="number">no server</th>
            <th scope="col" class="number wide">bytes/s</th>
            <th scope="col" class="number wide">packets in all</th>
          </tr>
        </thead>
        <tbody>
          <For each={vips()}>
            {(vip) => (
              <tr>
                <th scope="row">{vip}</th>
                <For each={KINDS}>
                  {(kind) => <td class="number" classList={{ wide: kind === "untracked" }}>{rate(vip, kind)}</td>}
                </For>
                <td class="number wide">{rate(vip, "route_bytes")}</td>
                <td class="number wide">
                  {quantity(Object.values(props.counters[vip]?.packets ?? {}).reduce((sum, part) => sum + part, 0))}
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </Show>
  );
}

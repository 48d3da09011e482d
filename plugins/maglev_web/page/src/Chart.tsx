// Charts, drawn by uPlot: the latency of a backend's newest probes, and what a VIP carries a second.

import { createEffect, onCleanup, onMount } from "solid-js";
import uPlot from "uplot";
import { quantity } from "./format";
import { theme } from "./prefs";
import { packetRate, type History } from "./traffic";
import type { Probe, Traffic } from "./daemon";

const HIGH = 150;

type Colour = (name: string) => string;
type Shape = Pick<uPlot.Options, "scales" | "series"> & { axes: uPlot.Axis[] };

interface PlotProps {
  label: string;
  /** For the number of lines, which a chart that is drawn cannot change. */
  kind?: string;
  data: uPlot.AlignedData;
  shape: (colour: Colour) => Shape;
}

function times(_plot: uPlot, splits: number[]): string[] {
  return splits.map((at) => new Date(at * 1000).toLocaleTimeString(undefined, { hour12: false }));
}

function Plot(props: PlotProps) {
  let place!: HTMLDivElement;
  let plot: uPlot | null = null;

  const build = () => {
    plot?.destroy();
    const style = getComputedStyle(place);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const common = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const { axes, ...shape } = props.shape(colour);
    plot = new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: HIGH,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        axes: [{ ...common, size: 28, values: times, space: 90 }, ...axes.map((one) => ({ ...common, ...one }))],
        ...shape,
      },
      props.data,
      place,
    );
  };

  onMount(() => {
    const watcher = new ResizeObserver(() => plot?.setSize({ width: Math.max(200, place.clientWidth), height: HIGH }));
    watcher.observe(place);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", build);
    onCleanup(() => {
      watcher.disconnect();
      scheme.removeEventListener("change", build);
      plot?.destroy();
    });
    createEffect(() => {
      theme();
      void props.kind;
      build();
    });
  });
  createEffect(() => {
    const fresh = props.data;
    plot?.setData(fresh);
  });
  return <div ref={place} class="chart" role="img" aria-label={props.label} />;
}

const fromNought = (least: number, room = 1.1): uPlot.Scale => ({
  range: (_plot, _low, high) => [0, Math.max(least, (high ?? least) * room)],
});

export function LatencyChart(props: { probes: Probe[] | undefined; name: string }) {
  const data = (): uPlot.AlignedData => {
    const probes = props.probes ?? [];
    return [
      probes.map(([at_s]) => at_s),
      probes.map(([, ms]) => ms),
      probes.map(([, ms, code]) => (code.endsWith("OK") ? null : ms)),
    ];
  };
  const shape = (colour: Colour): Shape => ({
    scales: { y: fromNought(1) },
    axes: [{ size: 52, values: (_plot, splits) => splits.map((value) => `${value} ms`) }],
    series: [
      {},
      { stroke: colour("--accent"), width: 1.5, points: { show: false } },
      { stroke: colour("--down"), paths: () => null, points: { show: true, size: 7, fill: colour("--down") } },
    ],
  });
  return <Plot label={`latency of ${props.name}, newest probes`} data={data()} shape={shape} />;
}

export function RatesChart(props: { history: History; now: Traffic; name: string }) {
  const octets = () => props.history.octets.some((one) => one !== null);
  const data = (): uPlot.AlignedData => {
    const { at_s, packets } = props.history;
    return octets() ? [at_s, packets, props.history.octets] : [at_s, packets];
  };
  const shape = (colour: Colour): Shape => {
    const values = (_plot: uPlot, splits: number[]) => splits.map(quantity);
    const line = (name: string, scale: string): uPlot.Series => ({ scale, stroke: colour(name), width: 1.5, points: { show: false } });
    const both = octets();
    return {
      // Packets of one size would draw one line over the other.
      scales: { y: fromNought(10), octets: fromNought(1000, 1.6) },
      axes: [
        { size: 52, values, stroke: colour("--c0") },
        ...(both ? [{ side: 1, scale: "octets", size: 58, values, stroke: colour("--c1"), grid: { show: false } }] : []),
      ],
      series: [{}, line("--c0", "y"), ...(both ? [{ ...line("--c1", "octets"), fill: `${colour("--c1")}22` }] : [])],
    };
  };
  const told = (rate: number | null | undefined) => (rate === null || rate === undefined ? "–" : quantity(rate));
  return (
    <figure class="rates">
      <figcaption>
        <span class="swatch" data-colour="0" aria-hidden="true" /> packets/s <b>{told(packetRate(props.now))}</b>
        {" "}
        <span class="swatch" data-colour="1" aria-hidden="true" /> bytes/s <b>{octets() ? told(props.now.rates?.["route_bytes"]) : "not counted"}</b>
      </figcaption>
      <Plot
        label={`what ${props.name} carries: packets and bytes a second`}
        kind={octets() ? "both" : "packets"}
        data={data()}
        shape={shape}
      />
    </figure>
  );
}

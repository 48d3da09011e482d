// The latency of one backend's newest probes, drawn by uPlot.

import { createEffect, onCleanup, onMount } from "solid-js";
import uPlot from "uplot";
import { theme } from "./prefs";
import type { Beat } from "./types";

const HIGH = 150;

export function LatencyChart(props: { beats: Beat[] | undefined; name: string }) {
  let place!: HTMLDivElement;
  let plot: uPlot | null = null;

  const data = (): uPlot.AlignedData => {
    const beats = props.beats ?? [];
    return [
      beats.map((beat) => beat[0]),
      beats.map((beat) => beat[1]),
      beats.map((beat) => (beat[2].endsWith("OK") ? null : beat[1])),
    ];
  };

  const build = () => {
    plot?.destroy();
    const style = getComputedStyle(place);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    plot = new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: HIGH,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 1) * 1.1)] } },
        axes: [
          { ...axis, size: 28, values: (_plot, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString(undefined, { hour12: false })), space: 90 },
          { ...axis, size: 52, values: (_plot, splits) => splits.map((value) => `${value} ms`) },
        ],
        series: [
          {},
          { stroke: colour("--accent"), width: 1.5, points: { show: false } },
          { stroke: colour("--down"), paths: () => null, points: { show: true, size: 7, fill: colour("--down") } },
        ],
      },
      data(),
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
      build();
    });
  });
  createEffect(() => {
    const fresh = data();
    plot?.setData(fresh);
  });
  return <div ref={place} class="chart" role="img" aria-label={`latency of ${props.name}, newest probes`} />;
}

// What moves: values that flash when they change, and hearts that beat with every probe.

import { createEffect, on, type JSX } from "solid-js";
import type { Probe } from "./daemon";

const still = matchMedia("(prefers-reduced-motion: reduce)");

export function Flash(props: { value: unknown; children?: JSX.Element; class?: string }) {
  let element!: HTMLSpanElement;
  createEffect(
    on(
      () => props.value,
      () => {
        if (document.hidden) return;
        const colour = getComputedStyle(element).getPropertyValue("--flash");
        element.animate([{ backgroundColor: colour }, { backgroundColor: "transparent" }], still.matches ? 300 : 1200);
      },
      { defer: true },
    ),
  );
  return (
    <span ref={element} class={`flash ${props.class ?? ""}`}>
      {props.children ?? String(props.value)}
    </span>
  );
}

interface HeartProps {
  probes: Probe[] | undefined;
  /** Of the newest verdict, where no probe has been seen yet. */
  code: string | undefined;
  checked: boolean;
  stopped: boolean;
}

export function Heart(props: HeartProps) {
  let element!: SVGSVGElement;
  const last = () => props.probes?.[props.probes.length - 1];
  const state = () => {
    if (!props.checked || props.stopped) return "none";
    const code = last()?.[2] ?? props.code;
    if (!code) return "none";
    return code.endsWith("OK") ? "good" : /^L[467]/.test(code) ? "bad" : "void";
  };
  const words = () =>
    !props.checked
      ? "no health check"
      : props.stopped
        ? "not probed"
        : { none: "no probe yet", good: "last probe passed", bad: "last probe failed", void: "last probe was void" }[state()];
  createEffect(
    on(
      () => last()?.[0],
      (at, before) => {
        if (at && before && !document.hidden && !still.matches && !props.stopped)
          element.animate([{ transform: "scale(1)" }, { transform: "scale(1.35)" }, { transform: "scale(1)" }], 250);
      },
      { defer: true },
    ),
  );
  return (
    <svg ref={element} class="heart" data-beat={state()} viewBox="0 0 16 16" role="img" aria-label={words()}>
      <title>{words()}</title>
      <path d="M8 13.7C3.4 10.4 1.8 8.3 1.8 5.9 1.8 4 3.2 2.7 4.9 2.7c1.3 0 2.4.7 3.1 1.9.7-1.2 1.8-1.9 3.1-1.9 1.7 0 3.1 1.3 3.1 3.2 0 2.4-1.6 4.5-6.2 7.8z" />
    </svg>
  );
}

// How high the rows of a card are that are not drawn: the room kept for them is what they will take, or the page would
// grow under whoever scrolls to its end.

import { batch, createSignal } from "solid-js";

const ROW_PX = 44;

interface Shape {
  pools: number;
  members: number;
  charted: boolean;
}

interface Seen {
  epoch: number;
  px: number;
}

// Heights hold for one width of the window.
const [epoch, setEpoch] = createSignal(0);
// The first seen of its kind, and not the newest: or every card that is drawn would move all others a little.
const [typical, setTypical] = createSignal<Record<string, Seen>>({});
const [line, setLine] = createSignal<Seen>({ epoch: 0, px: ROW_PX });
const heard = new WeakMap<Element, (px: number) => void>();
const observer = new ResizeObserver((entries) =>
  batch(() => entries.forEach((entry) => heard.get(entry.target)?.(entry.borderBoxSize[0]!.blockSize))),
);

let wide = innerWidth;
addEventListener("resize", () => {
  // A phone's address bar comes and goes: that is another height and no other width.
  if (innerWidth !== wide) setEpoch((old) => old + 1);
  wide = innerWidth;
});

const lines = (shape: Shape) => shape.members + shape.pools + (shape.charted ? 6 : 2);
const kind = (shape: Shape) => `${shape.pools}/${shape.members}/${shape.charted}`;

/** Watches what is drawn of one card, and tells how much room to keep for it while it is not. */
export function createHeight(shape: () => Shape): { watch: (body: Element) => () => void; px: () => number } {
  const [own, setOwn] = createSignal<Seen | null>(null);
  const note = (px: number) => {
    if (!px) return;
    const seen = { epoch: epoch(), px };
    setOwn(seen);
    if (typical()[kind(shape())]?.epoch === epoch()) return;
    setTypical((all) => ({ ...all, [kind(shape())]: seen }));
    setLine({ epoch: epoch(), px: px / lines(shape()) });
  };
  const watch = (body: Element) => {
    heard.set(body, note);
    observer.observe(body);
    return () => {
      observer.unobserve(body);
      heard.delete(body);
    };
  };
  const px = () => {
    const fits = [own(), typical()[kind(shape())]].find((one) => one?.epoch === epoch());
    return fits ? fits.px : Math.round(line().px * lines(shape()));
  };
  return { watch, px };
}

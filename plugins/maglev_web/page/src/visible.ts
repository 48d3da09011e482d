// Which frontends are visible: of thousands of backends, the server follows the probes of those alone.

import type { Probe } from "./daemon";
import { model, takeFollowed } from "./model";
import { asMeant, readShown } from "./shown";

const SETTLE_MS = 300; // not while scrolling past
const AGAIN_MS = 10_000; // the server stops following after three times as long
const LONGEST = 6000; // characters of a request's line; proxies take 8000

const visible = new Map<string, Set<string>>();
let settling: ReturnType<typeof setTimeout> | undefined;
let again: ReturnType<typeof setInterval> | undefined;

function isAsked(name: string): boolean {
  const daemon = model.daemons[name];
  return !!daemon && Object.keys(daemon.state.backends).length > daemon.followed;
}

async function ask(name: string, frontends: string[]): Promise<void> {
  let wanted = `maglevd=${encodeURIComponent(asMeant(name))}`;
  for (const one of frontends) {
    const longer = `${wanted}&frontend=${encodeURIComponent(asMeant(one))}`;
    if (longer.length > LONGEST) break;
    wanted = longer;
  }
  try {
    const answer = await fetch(`/view/api/probes?${wanted}`, { cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (answer.ok && isAsked(name)) takeFollowed(name, readShown(await answer.text()) as Record<string, Probe[]>);
  } catch {
    // The page says by itself that the server is away, and asks again.
  }
}

function askAll(): void {
  if (document.hidden) return;
  // The newest visible are the last of a set.
  for (const [name, frontends] of visible)
    if (frontends.size && isAsked(name)) void ask(name, [...frontends].reverse());
}

function settle(): void {
  clearTimeout(settling);
  settling = setTimeout(askAll, SETTLE_MS);
}

/** Has the server follow the probes of a frontend's backends, until the function that is given back is called. */
export function followProbes(name: string, frontend: string): () => void {
  if (!visible.has(name)) visible.set(name, new Set());
  visible.get(name)!.add(frontend);
  settle();
  again ??= setInterval(askAll, AGAIN_MS);
  return () => {
    visible.get(name)?.delete(frontend);
    settle();
  };
}

document.addEventListener("visibilitychange", askAll);

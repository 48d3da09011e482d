// Which frontends are in sight: of thousands of backends, the server follows the probes of those alone.

import { model, takeLookedAt } from "./model";
import type { Beat } from "./types";

const SETTLE_MS = 300; // who scrolls past wants nothing yet
const AGAIN_MS = 10_000; // the server forgets who looks after three times as long
const LONGEST = 6000; // characters of a request's line; proxies take 8000

const inSight = new Map<string, Set<string>>();
let settling: ReturnType<typeof setTimeout> | undefined;
let again: ReturnType<typeof setInterval> | undefined;

function isAsked(name: string): boolean {
  const daemon = model.daemons[name];
  return !!daemon && Object.keys(daemon.state.backends).length > daemon.followed;
}

async function ask(name: string, frontends: string[]): Promise<void> {
  let wanted = `maglevd=${encodeURIComponent(name)}`;
  for (const one of frontends) {
    const longer = `${wanted}&frontend=${encodeURIComponent(one)}`;
    if (longer.length > LONGEST) break;
    wanted = longer;
  }
  try {
    const answer = await fetch(`/view/api/beats?${wanted}`, { cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (answer.ok && isAsked(name)) takeLookedAt(name, (await answer.json()) as Record<string, Beat[]>);
  } catch {
    // The page says by itself that the server is away, and asks again.
  }
}

function askAll(): void {
  if (document.hidden) return;
  // The newest in sight are the last of a set.
  for (const [name, frontends] of inSight)
    if (frontends.size && isAsked(name)) void ask(name, [...frontends].reverse());
}

function settle(): void {
  clearTimeout(settling);
  settling = setTimeout(askAll, SETTLE_MS);
}

/** Tells the server that a frontend's backends are in sight, until the function that is given back is called. */
export function lookAt(name: string, frontend: string): () => void {
  if (!inSight.has(name)) inSight.set(name, new Set());
  inSight.get(name)!.add(frontend);
  settle();
  again ??= setInterval(askAll, AGAIN_MS);
  return () => {
    inSight.get(name)?.delete(frontend);
    settle();
  };
}

document.addEventListener("visibilitychange", askAll);

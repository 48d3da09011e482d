// Log records of the daemons, for the panel of /admin/ only, and read only while that panel is there.

import { createSignal } from "solid-js";
import type { Event } from "./messages";
import { readShown } from "./shown";

const KEPT = 500;
const AGAIN_MS = 5000;
const [logs, setLogs] = createSignal<Record<string, Event[]>>({});
let waiting: { maglevd: string; data: Event }[] = [];

export { logs };

function work(): void {
  const fresh = waiting;
  waiting = [];
  setLogs((old) => {
    const all = { ...old };
    for (const { maglevd, data } of fresh) all[maglevd] = [data, ...(all[maglevd] ?? []).slice(0, KEPT - 1)];
    return all;
  });
}

/** Reads until the function that is given back is called; not in a tab that nobody sees: a browser has few connections. */
export function readLogs(): () => void {
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout>;
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    // A new stream begins with all that the server keeps.
    waiting = [];
    setLogs({});
    const mine = (source = new EventSource("/admin/api/logs"));
    mine.onmessage = (event) => {
      if (waiting.push(readShown(event.data)) === 1) setTimeout(work, 250);
    };
    mine.onerror = () => {
      if (mine === source && mine.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS);
    };
  };
  const follow = () => (document.hidden ? close() : open());
  follow();
  document.addEventListener("visibilitychange", follow);
  return () => {
    document.removeEventListener("visibilitychange", follow);
    close();
  };
}

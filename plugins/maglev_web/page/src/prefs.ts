// What this browser remembers. Where it may not remember anything, the page works all the same.

import { createSignal } from "solid-js";

function read(key: string): string | null {
  try {
    return localStorage.getItem(`maglev:${key}`);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(`maglev:${key}`, value);
  } catch {
    // a private window
  }
}

export type Theme = "auto" | "light" | "dark";
const THEMES: Theme[] = ["auto", "light", "dark"];
const [theme, setThemeSignal] = createSignal<Theme>(THEMES.find((one) => one === read("theme")) ?? "auto");

function show(chosen: Theme): void {
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

export function nextTheme(): void {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]!;
  setThemeSignal(next);
  write("theme", next);
  show(next);
}

show(theme());

const saved = (() => {
  try {
    return JSON.parse(read("open") ?? "{}") as Record<string, boolean>;
  } catch {
    return {};
  }
})();
const [opened, setOpened] = createSignal<Record<string, boolean>>(saved);

export function isOpen(key: string, byDefault: boolean): boolean {
  return opened()[key] ?? byDefault;
}

export function setOpen(keys: string[], open: boolean): void {
  setOpened((all) => ({ ...all, ...Object.fromEntries(keys.map((key) => [key, open])) }));
  write("open", JSON.stringify(opened()));
}

export { theme };

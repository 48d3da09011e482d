// Numbers, times and names as people read them.

import type { Transition, VipKey } from "./messages";

/** A VIP as maglevd writes it. */
export function vipText(vip: VipKey): string {
  if (vip.port === 0) return `${vip.address}/${vip.protocol}`;
  return `${vip.address.includes(":") ? `[${vip.address}]` : vip.address}:${vip.port}/${vip.protocol}`;
}

/** What decided a transition, without the code of a probe. */
export function whyText(change: Transition): string {
  return change.result ? change.result.detail : change.why;
}

export function age(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function clock(at_s: number): string {
  return new Date(at_s * 1000).toLocaleTimeString(undefined, { hour12: false });
}

export function moment(at_s: number): string {
  return new Date(at_s * 1000).toLocaleString(undefined, { hour12: false });
}

const UNITS = ["", "k", "M", "G", "T"];

export function quantity(value: number): string {
  let unit = 0;
  while (Math.abs(value) >= 9999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const text = value >= 100 || Number.isInteger(value) ? Math.round(value).toString() : value.toFixed(1);
  return `${text}${unit ? ` ${UNITS[unit]}` : ""}`;
}

export function percent(share: number): string {
  if (share === 0) return "0 %";
  if (share < 0.001) return "< 0.1 %";
  return `${(share * 100).toFixed(share >= 0.9995 || share >= 0.1 ? 0 : 1)} %`;
}

export function precisePercent(share: number): string {
  return share === 0 ? "0 %" : share < 0.0001 ? "< 0.01 %" : `${(share * 100).toFixed(2)} %`;
}

export function milliseconds(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

// What a frontend comes to, in one word, and who gets its new flows.

import type { Frontend, Member } from "./messages";

export type Condition = "serving" | "degraded" | "fallback" | "down" | "unknown";

export const CONDITIONS: Condition[] = ["serving", "degraded", "fallback", "down", "unknown"];

export const WORDS: Record<Condition, string> = {
  serving: "serving",
  degraded: "degraded",
  fallback: "on fallback",
  down: "down",
  unknown: "unknown",
};

export function condition(frontend: Frontend): Condition {
  if (frontend.state === "unknown") return "unknown";
  if (frontend.state === "down") return "down";
  if (frontend.active_pool !== frontend.pools[0]) return "fallback";
  const active = frontend.members.filter((member) => member.pool === frontend.active_pool);
  if (frontend.holding || active.some((member) => member.state !== "up" && member.weight > 0)) return "degraded";
  return "serving";
}

export function differs(frontend: Frontend): boolean {
  return frontend.in_sync === false || frontend.drift.length > 0;
}

/** Share of new flows, from 0 to 1: from the dataplane's buckets where it tells them, else as the weights have it. */
export function shares(frontend: Frontend): number[] {
  const seen = new Set<string>();
  const parts = frontend.members.map((member: Member) => {
    // A server in two pools has one place in the table.
    if (seen.has(member.address) || (member.table_weight === 0 && !member.buckets)) return 0;
    seen.add(member.address);
    return member.buckets ?? member.table_weight;
  });
  const sum = parts.reduce((total, part) => total + part, 0);
  return parts.map((part) => (sum ? part / sum : 0));
}

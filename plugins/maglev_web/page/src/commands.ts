// Which commands a dialog offers. What commands there are, the server says: they are declared in maglev.api.

export type Value = string | number | boolean;

export interface Argument {
  name: string;
  kind: "backend" | "frontend" | "healthcheck" | "pool" | "weight" | "flag" | "choice";
  help: string;
  required: boolean;
  disruptive: boolean;
  choices: string[];
}

export interface CommandInfo {
  name: string;
  label: string;
  help: string;
  disruptive: boolean;
  states: string[];
  undoes_override: boolean;
  arguments: Argument[];
}

/** What a dialog is about. */
export interface Subject {
  maglevd: string;
  title: string;
  /** What the names among a command's arguments are, by kind: all of a backend in a pool, a frontend, or none. */
  names: { frontend?: string; pool?: string; backend?: string; healthcheck?: string };
  state?: string;
  weight?: { now: number; configured: number };
  overridden?: { state: boolean; weight: boolean };
}

const isName = (one: Argument): boolean => ["frontend", "pool", "backend", "healthcheck"].includes(one.kind);

const nameOf = (one: Argument, about: Subject): string | undefined => about.names[one.kind as keyof Subject["names"]];

/** Whether a command can do something here, and nothing is closer to it. */
export function isOffered(info: CommandInfo, about: Subject): boolean {
  const has = (kind: string) => info.arguments.some((one) => one.kind === kind);
  if (info.arguments.some((one) => isName(one) && one.required && nameOf(one, about) === undefined)) return false;
  if (about.names.backend ? !(has("backend") || has("healthcheck")) : about.names.frontend ? !has("frontend") : false) return false;
  if (info.states.length && !info.states.includes(about.state ?? "")) return false;
  return !info.undoes_override || !!(has("pool") ? about.overridden?.weight : about.overridden?.state);
}

/** The arguments that follow from what a dialog is about. */
export function namesFor(info: CommandInfo, about: Subject): Record<string, string> {
  const named = info.arguments.filter((one) => nameOf(one, about) !== undefined);
  return Object.fromEntries(named.map((one) => [one.name, nameOf(one, about)!]));
}

/** The arguments that people choose. */
export const chosenArguments = (info: CommandInfo): Argument[] => info.arguments.filter((one) => !isName(one));

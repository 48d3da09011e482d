// Commands and previews, for /admin/.

import { createSignal } from "solid-js";
import { isOffered, type CommandInfo, type Subject } from "./commands";
import type { Order } from "./daemon";
import type { CommandResult, Preview } from "./messages";
import { asMeant, readShown } from "./shown";

export const isAdmin = location.pathname.startsWith("/admin");

const [subject, setSubject] = createSignal<Subject | null>(null);
const [commands, setCommands] = createSignal<CommandInfo[]>([]);
export { setSubject, subject };

/** The commands that the dialog offers. */
export const offered = (): CommandInfo[] => commands().filter((one) => subject() !== null && isOffered(one, subject()!));

let token: Promise<string> | null = null;

/** The token that a command needs; with it come the commands there are. */
async function session(): Promise<string> {
  const answer = await fetch("/admin/api/session", { cache: "no-store" });
  if (!answer.ok) throw new Error(`the server refuses: status ${answer.status}`);
  const content = await answer.json();
  setCommands(content.commands);
  return content.token;
}

/** Open the dialog. */
export async function ask(about: Subject): Promise<void> {
  token ??= session();
  await token.catch(() => (token = null));
  setSubject(about);
}

async function post<T>(what: "preview" | "command", order: Order, again = true): Promise<T> {
  token ??= session();
  let known: string;
  try {
    known = await token;
  } catch (error) {
    token = null;
    throw error;
  }
  const answer = await fetch(`/admin/api/${what}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-maglev-token": known },
    body: JSON.stringify(asMeant(order)),
  });
  const content = await answer.text().then(readShown).catch(() => ({ error: `status ${answer.status}` }));
  if (answer.ok) return content;
  // The server was started again and has another token. Nothing was done, so it may be sent again.
  if (answer.status === 403 && again && String(content.error).includes("token is not the right one")) {
    token = null;
    return post(what, order, false);
  }
  throw new Error(content.error ?? `status ${answer.status}`);
}

export const preview = (order: Order): Promise<Preview> => post("preview", order);
export const command = (order: Order): Promise<CommandResult> => post("command", order);

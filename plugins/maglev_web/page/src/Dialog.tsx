// One change: chosen, previewed, and only then confirmed.

import { createEffect, createMemo, createSignal, For, on, onMount, Show } from "solid-js";
import { command, offered, preview, setSubject, subject } from "./admin";
import { chosenArguments, namesFor, type Argument, type CommandInfo, type Value } from "./commands";
import type { Order } from "./daemon";
import { Field } from "./Field";
import type { Preview } from "./messages";
import { PreviewView } from "./PreviewView";

type Values = Record<string, Value>;

const SETTLE_MS = 200; // a slider that moves asks for no preview

export function Dialog() {
  let dialog!: HTMLDialogElement;
  const [chosen, setChosen] = createSignal(0);
  const [values, setValues] = createSignal<Values>({});
  const [seen, setSeen] = createSignal<Preview | null>(null);
  const [state, setState] = createSignal<"asking" | "ready" | "doing" | "done">("asking");
  const [error, setError] = createSignal("");
  const [messages, setMessages] = createSignal<string[]>([]);
  const [failures, setFailures] = createSignal<string[]>([]);
  const choice = (): CommandInfo | undefined => offered()[chosen()];
  const valueOf = (one: Argument): Value | undefined =>
    values()[one.name] ?? (one.kind === "weight" ? subject()?.weight?.now ?? 0 : one.kind === "choice" && one.required ? one.choices[0] : undefined);
  const order = createMemo((): Order | null => {
    const about = subject();
    const one = choice();
    if (!about || !one) return null;
    const given = chosenArguments(one).map((each) => [each.name, valueOf(each)] as const).filter(([, value]) => value !== undefined && value !== false && value !== "");
    return { maglevd: about.maglevd, command: one.name, arguments: { ...namesFor(one, about), ...(Object.fromEntries(given) as Values) } };
  });
  const disruptive = () => choice()?.disruptive || chosenArguments(choice()!).some((one) => one.disruptive && values()[one.name]);

  onMount(() => {
    dialog.addEventListener("close", () => setSubject(null));
  });
  createEffect(
    on(subject, (about) => {
      setChosen(0);
      setValues({});
      setMessages([]);
      setFailures([]);
      if (about && !dialog.open) dialog.showModal();
    }),
  );

  let timer: ReturnType<typeof setTimeout> | undefined;
  createEffect(
    on(order, (wanted) => {
      clearTimeout(timer);
      setState("asking");
      setError("");
      if (wanted) timer = setTimeout(() => ask(wanted), SETTLE_MS);
      else setSeen(null);
    }),
  );

  async function ask(wanted: Order): Promise<void> {
    try {
      const answer = await preview(wanted);
      if (wanted !== order()) return;
      setSeen(answer);
      setState("ready");
    } catch (reason) {
      if (wanted !== order()) return;
      setSeen(null);
      setError((reason as Error).message);
    }
  }

  async function carryOut(): Promise<void> {
    const wanted = order();
    if (!wanted || state() !== "ready") return;
    setState("doing");
    try {
      const result = await command(wanted);
      // What the preview has said need not be said again.
      const news = result.messages.filter((one) => !seen()?.messages.includes(one));
      setMessages(news);
      setFailures(result.errors);
      setState("done");
      if (!news.length && !result.errors.length) dialog.close();
    } catch (reason) {
      setError((reason as Error).message);
      setState("asking");
    }
  }

  return (
    <dialog ref={dialog} aria-labelledby="dialog-title">
      <form method="dialog" onSubmit={(event) => event.preventDefault()}>
        <h2 id="dialog-title">{subject()?.title}</h2>
        <fieldset class="choices" disabled={state() === "doing" || state() === "done"}>
          <legend>change</legend>
          <For each={offered()}>
            {(one, index) => (
              <label>
                <input type="radio" name="choice" value={one.name} checked={chosen() === index()} onChange={() => setChosen(index())} />
                <b>{one.label}</b> <span class="faint">{one.help}</span>
              </label>
            )}
          </For>
          <For each={choice() ? chosenArguments(choice()!) : []}>
            {(one) => <Field argument={one} value={valueOf(one)} set={(value) => setValues({ ...values(), [one.name]: value })} />}
          </For>
        </fieldset>
        <section class="preview" aria-live="polite" aria-busy={state() === "asking"} tabindex="0" aria-label="what it will do">
          <Show when={error()}>
            <p class="alarm" role="alert">{error()}</p>
          </Show>
          <Show when={state() === "done"} fallback={<Show when={seen()}>{(one) => <PreviewView preview={one()} maglevd={subject()?.maglevd ?? ""} />}</Show>}>
            <For each={failures()}>
              {(one) => (
                <p class="alarm" role="alert">
                  not done in the dataplane, and tried again: {one}
                </p>
              )}
            </For>
            <For each={messages()}>{(one) => <p>{one}</p>}</For>
          </Show>
        </section>
        <footer>
          <button type="button" onClick={() => dialog.close()}>{state() === "done" ? "Close" : "Cancel"}</button>
          <Show when={state() !== "done"}>
            <button type="button" class="primary" classList={{ danger: choice() && disruptive() }} disabled={state() !== "ready"} onClick={carryOut}>
              {state() === "doing" ? "Doing…" : `Confirm: ${choice()?.label.toLowerCase() ?? ""}`}
            </button>
          </Show>
        </footer>
      </form>
    </dialog>
  );
}

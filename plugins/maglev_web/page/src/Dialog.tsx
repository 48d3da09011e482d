// One change: chosen, previewed, and only then confirmed.

import { createEffect, createMemo, createSignal, For, on, onMount, Show } from "solid-js";
import { command, preview, setSubject, subject, type Choice } from "./admin";
import type { Order } from "./daemon";
import type { Preview } from "./messages";
import { PreviewView } from "./PreviewView";

const SETTLE_MS = 200; // a slider that moves asks for no preview

export function Dialog() {
  let dialog!: HTMLDialogElement;
  const [chosen, setChosen] = createSignal(0);
  const [weight, setWeight] = createSignal(0);
  const [switches, setSwitches] = createSignal<Record<string, boolean>>({});
  const [seen, setSeen] = createSignal<Preview | null>(null);
  const [state, setState] = createSignal<"asking" | "ready" | "doing" | "done">("asking");
  const [error, setError] = createSignal("");
  const [messages, setMessages] = createSignal<string[]>([]);
  const [failures, setFailures] = createSignal<string[]>([]);
  const choice = (): Choice | undefined => subject()?.choices[chosen()];
  const order = createMemo((): Order | null => {
    const about = subject();
    const one = choice();
    if (!about || !one) return null;
    const extra = one.weight ? { weight: weight() } : (Object.fromEntries(Object.entries(switches()).filter(([name, on]) => on && one.switches?.some((s) => s.name === name))) as Record<string, boolean>);
    return { maglevd: about.maglevd, command: one.command, arguments: { ...one.arguments, ...extra } };
  });

  onMount(() => {
    dialog.addEventListener("close", () => setSubject(null));
  });
  createEffect(
    on(subject, (about) => {
      setChosen(0);
      setSwitches({});
      setWeight(about?.choices.find((one) => one.weight)?.weight?.now ?? 0);
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
      setMessages(result.messages);
      setFailures(result.errors);
      setState("done");
      if (!result.messages.length && !result.errors.length) dialog.close();
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
          <For each={subject()?.choices ?? []}>
            {(one, index) => (
              <label>
                <input type="radio" name="choice" value={one.command} checked={chosen() === index()} onChange={() => setChosen(index())} />
                <b>{one.label}</b> <span class="faint">{one.hint}</span>
              </label>
            )}
          </For>
          <Show when={choice()?.weight}>
            {(range) => (
              <div class="weight">
                <label for="weight">weight</label>
                <input id="weight" type="range" min={range().min} max={range().max} value={weight()} onInput={(event) => setWeight(event.currentTarget.valueAsNumber)} />
                <input type="number" aria-label="weight, as a number" min={range().min} max={range().max} value={weight()} onInput={(event) => { const value = event.currentTarget.valueAsNumber; if (value >= 0 && value <= 100) setWeight(Math.round(value)); }} />
                <span class="faint">now {range().now}, in the file {range().configured}</span>
              </div>
            )}
          </Show>
          <For each={choice()?.switches ?? []}>
            {(one) => (
              <label>
                <input type="checkbox" checked={switches()[one.name] ?? false} onChange={(event) => setSwitches({ ...switches(), [one.name]: event.currentTarget.checked })} />
                {one.label}
              </label>
            )}
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
            <button type="button" class="primary" disabled={state() !== "ready"} onClick={carryOut}>
              {state() === "doing" ? "Doing…" : `Confirm: ${choice()?.label.toLowerCase() ?? ""}`}
            </button>
          </Show>
        </footer>
      </form>
    </dialog>
  );
}

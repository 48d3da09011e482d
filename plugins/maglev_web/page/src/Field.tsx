// One argument of a command that people choose: a weight, a flag, or one of some choices.

import { For, Match, Show, Switch } from "solid-js";
import { subject } from "./admin";
import type { Argument, Value } from "./commands";

export function Field(props: { argument: Argument; value: Value | undefined; set: (value: Value) => void }) {
  const one = () => props.argument;
  const number = (value: number) => {
    if (value >= 0 && value <= 100) props.set(Math.round(value));
  };
  return (
    <Switch>
      <Match when={one().kind === "weight"}>
        <div class="weight">
          <label for="weight">{one().name}</label>
          <input id="weight" type="range" min={0} max={100} value={Number(props.value)} onInput={(event) => number(event.currentTarget.valueAsNumber)} />
          <input type="number" aria-label={`${one().name}, as a number`} min={0} max={100} value={Number(props.value)} onInput={(event) => number(event.currentTarget.valueAsNumber)} />
          <span class="faint">now {subject()?.weight?.now}, in the file {subject()?.weight?.configured}</span>
        </div>
      </Match>
      <Match when={one().kind === "flag"}>
        <label>
          <input type="checkbox" checked={props.value === true} onChange={(event) => props.set(event.currentTarget.checked)} />
          {one().name}: {one().help}
        </label>
      </Match>
      <Match when={one().kind === "choice"}>
        <label>
          {one().help}{" "}
          <select onChange={(event) => props.set(event.currentTarget.value)}>
            <Show when={!one().required}>
              <option value="">–</option>
            </Show>
            <For each={one().choices}>{(text) => <option selected={text === props.value}>{text}</option>}</For>
          </select>
        </label>
      </Match>
    </Switch>
  );
}

// The page: which daemon, how it is doing, its frontends, its dataplane, and what happens.

import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import { ask, isAdmin } from "./admin";
import { Card } from "./Card";
import { DataplanePanel } from "./DataplanePanel";
import { Dialog } from "./Dialog";
import { EventPanel } from "./EventPanel";
import { age, moment, vipText } from "./format";
import { Icon } from "./Icon";
import { CONDITIONS, condition, differs, WORDS, type Condition } from "./condition";
import { link, model, now } from "./model";
import { isOpen, nextTheme, setOpen, theme } from "./prefs";
import type { Daemon } from "./daemon";

const MANY = 12; // with more frontends, cards start closed

function chosenName(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

export function App() {
  const [hash, setHash] = createSignal(chosenName());
  const follow = () => setHash(chosenName());
  onMount(() => window.addEventListener("hashchange", follow));
  onCleanup(() => window.removeEventListener("hashchange", follow));
  const current = () => (model.daemons[hash()] ? hash() : model.order[0]);
  createEffect(() => {
    document.title = current() ? `maglevd ${current()}` : "maglevd";
  });
  return (
    <>
      <header class="top">
        <h1>
          maglevd <span class="faint">{isAdmin ? "admin" : "view"}</span>
        </h1>
        <Show when={model.order.length > 1}>
          <nav class="daemons" aria-label="maglevds">
            <For each={model.order}>{(name) => <DaemonLink name={name} current={current() === name} />}</For>
          </nav>
        </Show>
        <span class="grow" />
        <span class="link" data-link={link()} role="status">
          <span class="dot" aria-hidden="true" />
          {link() === "open" ? "live" : link() === "lost" ? "dashboard server away, retrying" : "connecting"}
        </span>
        <button type="button" class="quiet" onClick={nextTheme} aria-label={`colours: ${theme()}; change`}>
          {theme() === "auto" ? "◐ auto" : theme() === "light" ? "☀ light" : "☾ dark"}
        </button>
      </header>
      <main classList={{ stale: link() === "lost" }}>
        <Show when={current() ? model.daemons[current()!] : undefined} keyed fallback={<p class="empty">Waiting for the server …</p>}>
          {(daemon) => <DaemonPage daemon={daemon} />}
        </Show>
      </main>
      <Show when={isAdmin}>
        <Dialog />
      </Show>
    </>
  );
}

function DaemonLink(props: { name: string; current: boolean }) {
  const daemon = () => model.daemons[props.name]!;
  const health = () => (!daemon().status.connected ? "lost" : daemon().status.answering ? "open" : "opening");
  const words = () => ({ lost: "not connected", open: "connected", opening: "slow" })[health()];
  return (
    <a href={`#${encodeURIComponent(props.name)}`} aria-current={props.current ? "page" : undefined} data-link={health()}>
      <span class="dot" aria-hidden="true" />
      {props.name} <span class="faint">{words()}</span>
    </a>
  );
}

function DaemonPage(props: { daemon: Daemon }) {
  const [text, setText] = createSignal("");
  const [only, setOnly] = createSignal<Condition | "differs" | null>(null);
  const state = () => props.daemon.state;
  const all = createMemo(() => state().order.filter((name) => state().frontends[name]));
  const conditions = createMemo(() => new Map(all().map((name) => [name, condition(state().frontends[name]!)])));
  const different = createMemo(() => all().filter((name) => differs(state().frontends[name]!)));
  const shown = createMemo(() => {
    const wanted = text().trim().toLowerCase();
    const matches = (name: string) => {
      const one = state().frontends[name]!;
      const words = [one.name, one.description, vipText(one.vip), ...one.members.flatMap((m) => [m.backend, m.address])];
      return !wanted || words.some((word) => word.toLowerCase().includes(wanted));
    };
    const kept = (name: string) =>
      only() === null || (only() === "differs" ? different().includes(name) : conditions().get(name) === only());
    return all().filter((name) => kept(name) && matches(name));
  });
  const count = (one: Condition) => [...conditions().values()].filter((other) => other === one).length;
  const allOpen = () => keys().length > 0 && keys().every((key) => isOpen(key, all().length <= MANY));
  const keys = () => shown().map((name) => `${props.daemon.name}/${name}`);
  return (
    <>
      <StatusLine daemon={props.daemon} />
      <section class="toolbar" aria-label="frontends, choose">
        <div class="chips" role="group" aria-label="show only">
          <For each={CONDITIONS}>
            {(one) => (
              <button
                type="button"
                class="chip"
                data-condition={one}
                aria-pressed={only() === one}
                onClick={() => setOnly(only() === one ? null : one)}
              >
                <Icon name={one} /> <b>{count(one)}</b> {WORDS[one]}
              </button>
            )}
          </For>
          <button
            type="button"
            class="chip"
            data-condition="differs"
            aria-pressed={only() === "differs"}
            onClick={() => setOnly(only() === "differs" ? null : "differs")}
          >
            <Icon name="differs" /> <b>{different().length}</b> dataplane differs
          </button>
        </div>
        <span class="grow" />
        <input
          type="search"
          placeholder="filter"
          aria-label="filter frontends"
          value={text()}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="button" class="quiet" onClick={() => setOpen(keys(), !allOpen())}>
          {allOpen() ? "close all" : "open all"}
        </button>
        <Show when={isAdmin}>
          <DaemonActions name={props.daemon.name} />
        </Show>
      </section>
      <section class="cards" aria-label="frontends">
        <For each={shown()} fallback={<p class="empty">{all().length ? "No frontend matches." : "There are no frontends."}</p>}>
          {(name) => (
            <Card daemon={props.daemon} name={name} openByDefault={all().length <= MANY} />
          )}
        </For>
      </section>
      <DataplanePanel daemon={props.daemon} />
      <Show when={isAdmin}>
        <EventPanel name={props.daemon.name} />
      </Show>
    </>
  );
}

function StatusLine(props: { daemon: Daemon }) {
  const status = () => props.daemon.status;
  const info = () => status().info;
  const word = () => {
    if (!status().connected) return "not connected";
    if (!status().answering) return "connected, but not answering";
    return info()?.warm === false ? "warming up" : "connected";
  };
  return (
    <section class="status" data-ok={status().connected && status().answering} aria-label="daemon">
      <span>
        <b>{props.daemon.name}</b> {word()} <span class="faint">for {age(now() - status().since_s)}</span>
      </span>
      <Show when={status().why}>
        <span class="alarm" role="alert">
          {status().why}
        </span>
      </Show>
      <Show when={info()}>
        <span class="faint" title={moment(info()!.started_at_s)}>
          version {info()!.version}, up {age(now() - info()!.started_at_s)}
          <Show when={status().restarts}>, restarted {status().restarts} × while watched</Show>
        </span>
        <span class="faint" title={moment(info()!.config_loaded_at_s)}>
          configuration loaded {age(now() - info()!.config_loaded_at_s)} ago
        </span>
        <Show when={isAdmin && !info()!.may_change}>
          <span class="alarm">this daemon takes no commands from here: {info()!.may_change_why}</span>
        </Show>
      </Show>
    </section>
  );
}

function DaemonActions(props: { name: string }) {
  return (
    <button type="button" onClick={() => ask({ maglevd: props.name, title: props.name, names: {} })}>
      Sync or reload…
    </button>
  );
}

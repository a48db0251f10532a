// Run, Resume failed, Force, Cancel; beside them what a run would do, or how far it is.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Button, Icon, Mark, STATE_ORDER, Strip, wordOf } from "./parts";
import type { Store } from "./store";

export function Toolbar({ store, selected, find, filter, setFilter, width }: {
  store: Store;
  selected: string | null;
  find: { current: HTMLInputElement | null };
  filter: string;
  setFilter: (text: string) => void;
  width: number;
}) {
  const steps = store.graph.steps;
  const idle = !store.running && steps.length > 0;
  const many = steps.length >= 30;
  return (
    <div class="tb" role="toolbar" aria-label="Pipeline">
      <Button icon="run" primary disabled={!idle} onClick={() => store.send({ do: "run" })}>
        Run
      </Button>
      <Button icon="resume" disabled={!idle || store.failed === 0} onClick={() => store.send({ do: "run" })}>
        Resume failed
        {store.failed > 0 && <span class="ct">{store.failed}</span>}
      </Button>
      <Force store={store} selected={selected} disabled={!idle} />
      <Button icon="stop" disabled={!store.running || store.cancelling} onClick={() => store.cancel()}>
        {store.cancelling ? "Cancelling" : "Cancel"}
      </Button>
      <Manner store={store} />
      <Button icon="page" ghost disabled={!store.run} title="A page on the run that is shown: to read, send or print" onClick={() => void store.makeReport(store.run!.run_id)}>
        Report
      </Button>
      <span class="grow" />
      {store.forecast && !store.running && <span class="lbl">{store.forecast}</span>}
      {!many && (store.running || !store.forecast) && <Counts store={store} strip={width >= 900} />}
      {many && (
        <span class="fld find">
          <Icon name="search" />
          <input
            ref={find}
            type="search"
            aria-label={`Filter ${steps.length} steps`}
            placeholder={`Filter ${steps.length} steps`}
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
          <kbd aria-hidden="true">/</kbd>
        </span>
      )}
    </div>
  );
}

/** Where the next run executes bodies, and how many at once. */
function Manner({ store }: { store: Store }) {
  const { workers, executor, executors, cores } = store.how;
  const most = Math.max(8, 2 * cores, workers);
  const numbers = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].filter((n) => n <= most || n === workers);
  const names = executors.includes(executor) ? executors : [...executors, executor];
  return (
    <span class="manner" role="group" aria-label="How the next run is executed">
      <label class="lbl">
        Workers
        <select class="fld" value={workers} onChange={(e) => store.choose({ workers: Number(e.currentTarget.value) })} title="Bodies at once away from the kernel's main thread; from the next run on">
          {(numbers.includes(workers) ? numbers : [...numbers, workers]).map((n) => (
            <option key={n} value={n} selected={n === workers}>
              {n}
            </option>
          ))}
        </select>
      </label>
      <label class="lbl">
        <span class="word">Executor</span>
        <select class="fld" aria-label="Executor" value={executor} onChange={(e) => store.choose({ executor: e.currentTarget.value })} title="Where bodies are executed, from the next run on. Default: steps in the kernel, items of maps in processes where there is more than one worker">
          {names.map((name) => (
            <option key={name} value={name} selected={name === executor}>
              {name || "default"}
            </option>
          ))}
        </select>
      </label>
    </span>
  );
}

function Counts({ store, strip }: { store: Store; strip: boolean }) {
  const states = store.graph.steps.map((step) => store.nodes[step.name]?.state ?? "pending");
  const counts = STATE_ORDER.map((state) => [state, states.filter((s) => s === state).length] as const).filter(([, n]) => n > 0);
  return (
    <>
      {strip && states.length > 1 && (
        <span class="striped">
          <Strip states={states} />
        </span>
      )}
      <div class="counts">
        {counts.map(([state, number]) => (
          <span key={state} data-s={state} title={wordOf(state)}>
            <Mark state={state} label />
            <span class="w num">{number}</span>
          </span>
        ))}
      </div>
    </>
  );
}

function Force({ store, selected, disabled }: { store: Store; selected: string | null; disabled: boolean }) {
  const [shown, show] = useState(false);
  const box = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    if (!shown) return;
    box.current?.querySelector<HTMLElement>("[role=menuitem]:not([disabled])")?.focus();
    const menu = box.current?.querySelector<HTMLElement>(".menu");
    const edge = box.current?.closest(".nbs")?.getBoundingClientRect();
    // Where the widget is narrow, the menu moves to the left rather than out of it.
    if (menu && edge) menu.style.left = `${Math.min(0, edge.right - 8 - menu.getBoundingClientRect().right)}px`;
    const outside = (event: Event) => !box.current?.contains(event.target as Node) && show(false);
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [shown]);
  const shut = () => {
    show(false);
    box.current?.querySelector("button")?.focus();
  };
  const act = (message: Record<string, unknown>) => {
    shut();
    store.send({ do: "run", force: true, ...message });
  };
  const onKey = (event: KeyboardEvent) => {
    const items = [...(box.current?.querySelectorAll<HTMLElement>("[role=menuitem]:not([disabled])") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: Math.max(at, 0) - 1, Home: 0, End: -1 }[event.key];
    if (shown && event.key === "Tab") return void setTimeout(show, 0, false); // when the focus is where it goes
    if (shown && event.key === "Escape") shut();
    else if (!shown && event.key === "ArrowDown") show(true);
    else if (shown && to !== undefined) items.at(to % items.length)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <span class="menubox" ref={box} onKeyDown={shown || !disabled ? onKey : undefined} onFocusOut={(e) => !box.current?.contains(e.relatedTarget as Node) && show(false)}>
      <Button icon="force" disabled={disabled} aria-haspopup="menu" aria-expanded={shown} onClick={() => show(!shown)}>
        Force
        <Icon name="down" />
      </Button>
      {shown && (
        <div class="menu" role="menu" aria-label="Force">
          <button type="button" role="menuitem" disabled={!selected} onClick={() => act({ steps: [selected] })}>
            Force this step
            <small class="tr">{selected ?? "select a step first"}</small>
          </button>
          <button type="button" role="menuitem" disabled={!selected} onClick={() => act({ steps: [selected], after: true })}>
            Force this step and everything after it
          </button>
          <button type="button" role="menuitem" onClick={() => act({})}>
            Force all
          </button>
        </div>
      )}
    </span>
  );
}

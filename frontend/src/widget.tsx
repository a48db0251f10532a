// The entry: anywidget calls render for each view of the widget.

import { render } from "preact";
import { App, type Place } from "./app";
import { anchor, Store, type Model, type Page } from "./store";
import "./styles.css";

const places = new WeakMap<object, Place>();

/** The notebook toolbar's extension hears what a view asks of it; whoever answers, says so on the event. */
function pageOf(root: HTMLElement): Page {
  return {
    saved() {
      const waits: Promise<unknown>[] = [];
      root.dispatchEvent(new CustomEvent("nbsteps:save", { bubbles: true, detail: (done: Promise<unknown>) => waits.push(done) }));
      return waits.length ? Promise.all(waits) : undefined;
    },
    passes: (detail) => !root.dispatchEvent(new CustomEvent("nbsteps:tell", { bubbles: true, cancelable: true, detail })),
  };
}

export default {
  render({ model, el }: { model: Model; el: HTMLElement }) {
    const root = document.createElement("div");
    const store = new Store(model, pageOf(root));
    root.className = "nbs";
    // JupyterLab's and Notebook's keys (A inserts a cell) must not act on the notebook while the focus is in here: they
    // leave alone an element that says so, and only the one with the focus is asked.
    root.addEventListener("focusin", (event) => (event.target as HTMLElement).setAttribute("data-lm-suppress-shortcuts", "true"));
    el.append(root);
    const place = places.get(anchor(model)) ?? { tab: "graph", selected: null, panel: null };
    places.set(anchor(model), place);
    render(<App store={store} root={root} place={place} />, root);
    store.refresh();
    return () => {
      render(null, root);
      store.close();
      root.remove();
    };
  },
};

// What stands where the widget of %pipeline cannot: JupyterLab asks for the state of widgets over the shell that is busy
// during a run, and a page loaded meanwhile would show nothing until its end. Here the same script draws the same
// graph, over the toolbar's own line; without an answer the picture that was saved with the notebook is seen.

const VIEW = "application/vnd.jupyter.widget-view+json";
const PICTURE = "image/svg+xml";
const OURS = /nbsteps-saved/; // the class of that picture
const WAITING = /^\s*(Loading widget|Error displaying widget)/;
const PERIOD = 300; // milliseconds between a change of the page and the look at it and what else changed meanwhile
const BUSY = "The pipeline as it was saved with the notebook, until the kernel answers.";

export const STYLE = `
.nbs-understudy>img{display:block;max-width:100%}
.nbs-understudy>p{margin:4px 0 8px;font:12px/16px var(--jp-ui-font-family);color:var(--jp-ui-font-color1)}
.nbs-hidden{display:none!important}`;

// The kernel's widget as the script knows one, without a widget manager.
class Model {
  constructor(values, send, kernel) {
    this.values = values;
    this.send = send;
    this.heard = {};
    this.widget_manager = { kernel };
  }

  get(name) {
    return this.values[name];
  }

  on(event, callback) {
    (this.heard[event] ??= []).push(callback);
  }

  off(event, callback) {
    this.heard[event] = (this.heard[event] ?? []).filter((each) => callback && each !== callback);
  }

  tell(event, message) {
    for (const callback of this.heard[event] ?? []) callback(message);
  }
}

export class Understudies {
  // panel: the notebook's; ask: sends to the kernel, if need be only beside a cell; false where nobody listens.
  constructor(panel, ask) {
    this.panel = panel;
    this.ask = ask;
    this.stands = new Map(); // the output that waits, to what stands in for it
    this.model = null;
    this.timer = 0;
    this.watcher = new MutationObserver(() => this.soon());
    this.watcher.observe(panel.content.node, { childList: true, subtree: true });
    this.overheard = (_, message) => message.header.msg_type === "update_display_data" && this.renew(message.content);
    panel.sessionContext.iopubMessage.connect(this.overheard);
    // What a view of the widget has to say goes the toolbar's way where its own is deaf during a cell.
    this.pass = (event) => {
      if (event.target.closest(".nbs-understudy")) return; // which goes that way already
      if (this.ask({ do: "tell", content: event.detail }, true)) event.preventDefault();
    };
    panel.node.addEventListener("nbsteps:tell", this.pass);
    this.soon();
  }

  close() {
    this.watcher.disconnect();
    this.panel.sessionContext.iopubMessage.disconnect(this.overheard);
    this.panel.node.removeEventListener("nbsteps:tell", this.pass);
    window.clearTimeout(this.timer);
    this.reset();
  }

  // The kernel was lost: what it drew is a picture from now on.
  reset() {
    this.model = null;
    this.asked = false;
    for (const output of [...this.stands.keys()]) this.leave(output);
  }

  soon() {
    this.timer ||= window.setTimeout(() => this.look(), PERIOD);
  }

  look() {
    this.timer = 0;
    if (this.panel.isDisposed || !this.panel.content.model) return;
    const waiting = new Map(this.waiting());
    for (const [output, stand] of [...this.stands]) {
      if (!waiting.has(output)) this.leave(output);
      else if (!stand.close) this.caption(stand, output);
    }
    if (waiting.size === 0) {
      if (this.asked) this.ask({ do: "widget", shown: false });
      this.model = null;
      this.asked = false;
      return;
    }
    this.asked ||= this.ask({ do: "widget", shown: true });
    for (const [output, seen] of waiting) {
      const ours = seen.picture || seen.id === this.model?.id;
      if (ours && !this.stands.has(output)) this.enter(output, seen);
    }
  }

  // Outputs whose widget is not there, with the picture that was saved: with the widget, or beside it in the same cell.
  *waiting() {
    for (const cell of this.panel.content.widgets) {
      const outputs = cell.model.type === "code" ? cell.outputArea : null;
      const bundles = Array.from({ length: outputs?.model.length ?? 0 }, (_, at) => outputs.model.get(at).data);
      const beside = bundles.find((data) => !data[VIEW] && OURS.test(data[PICTURE]));
      for (const [at, data] of bundles.entries()) {
        const output = data[VIEW] && outputs.widgets[at]?.node.querySelector(".jp-OutputArea-output");
        if (!output || !WAITING.test(output.textContent)) continue;
        const picture = OURS.test(data[PICTURE]) ? data : beside;
        yield [output, { id: data[VIEW].model_id, picture, shown: picture === beside }];
      }
    }
  }

  enter(output, seen) {
    const node = document.createElement("div");
    node.className = "jp-OutputArea-output nbs-understudy";
    output.after(node);
    output.classList.add("nbs-hidden");
    const stand = { node, seen, close: null };
    this.stands.set(output, stand);
    if (this.model) this.play(stand);
    if (!stand.close) this.picture(stand, output);
  }

  leave(output) {
    const stand = this.stands.get(output);
    this.stands.delete(output);
    stand.close?.();
    stand.node.remove();
    output.classList.remove("nbs-hidden");
  }

  picture({ node, seen }, output) {
    node.append(document.createElement("p"));
    node.firstChild.setAttribute("role", "status");
    this.caption({ node }, output);
    if (seen.shown) return;
    const image = document.createElement("img");
    const source = [seen.picture[PICTURE]].flat().join("");
    image.src = `data:${PICTURE};charset=utf-8,${encodeURIComponent(source)}`; // as an image it runs no script
    image.alt = [seen.picture["text/plain"] ?? "The pipeline"].flat().join("");
    node.append(image);
  }

  // A page that was loaded anew does not know whose display is renewed. The picture's display is named by its widget.
  renew({ transient, data, metadata }) {
    const id = /^nbsteps (\S+)$/.exec(transient?.display_id ?? "")?.[1];
    for (const cell of id ? this.panel.content.widgets : []) {
      const outputs = cell.model.type === "code" ? cell.outputArea.model : null;
      const bundles = Array.from({ length: outputs?.length ?? 0 }, (_, at) => outputs.get(at).data);
      if (!bundles.some((bundle) => bundle[VIEW]?.model_id === id)) continue;
      const at = bundles.findIndex((bundle) => !bundle[VIEW] && OURS.test(bundle[PICTURE]));
      if (at < 0 || String(bundles[at][PICTURE]) === data[PICTURE]) continue;
      outputs.set(at, { output_type: "display_data", data, metadata });
    }
  }

  caption({ node }, output) {
    const words = /^\s*Error/.test(output.textContent)
      ? "The pipeline as it was saved with the notebook. Execute this cell to use it."
      : BUSY;
    if (node.firstChild.textContent !== words) node.firstChild.textContent = words;
    if (words === BUSY) node.cancel ??= this.canceller(node.firstChild);
    else node.cancel?.remove();
  }

  // A kernel that hears nothing is interrupted, as from the notebook's toolbar.
  canceller(caption) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Cancel";
    button.title = "Interrupts what the kernel executes; results stay";
    button.addEventListener("click", () => button.dispatchEvent(new CustomEvent("nbsteps:cancel", { bubbles: true })));
    caption.after(button);
    return button;
  }

  // What the kernel says: the widget as it stands, or what it tells all its views.
  async heard(message) {
    if (message.kind === "told") {
      this.model?.tell("msg:custom", message.content);
      return;
    }
    const { id, script, style, ...values } = message;
    const place = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    try {
      this.script = (await import(place)).default;
    } finally {
      URL.revokeObjectURL(place);
    }
    this.style ??= document.head.appendChild(document.createElement("style"));
    this.style.textContent = style;
    const { kernel } = this.panel.sessionContext.session ?? {};
    const send = (content) => {
      // What a view asks for as it opens, this one was given just now.
      if (content.do === "whole") window.setTimeout(() => this.model?.tell("change:live"));
      else this.ask({ do: "tell", content });
    };
    this.model = new Model(values, send, kernel);
    this.model.id = id;
    for (const stand of this.stands.values()) this.play(stand);
    this.look();
  }

  play(stand) {
    if (stand.seen.id !== this.model.id) return;
    stand.close?.();
    stand.node.replaceChildren();
    stand.close = this.script.render({ model: this.model, el: stand.node });
  }
}

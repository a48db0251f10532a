// The notebook's toolbar, state marks and commands: a federated extension of JupyterLab 4 and Notebook 7, written by
// hand, so that no build is needed. Everything that comes from a notebook or a kernel reaches the page as text.
(() => {
  "use strict";

  const NAME = "nbsteps";
  const HERE = document.currentScript.src; // the other files are beside this one

  let shared;

  async function need(name) {
    const versions = Object.keys(shared[name] || {});
    const newest = versions.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).pop();
    return (await shared[name][newest].get())();
  }

  async function plugin() {
    const [{ INotebookTracker, NotebookActions }, apputils, { Widget }, { ISettingRegistry }, services] = await Promise.all(
      ["notebook", "apputils", "widgets", "settingregistry", "services"].map((name) =>
        need(`${name === "widgets" ? "@lumino" : "@jupyterlab"}/${name}`),
      ),
    );
    const [{ Pipeline }, { STYLE }, { STYLE: MORE }] = await Promise.all(
      ["pipeline.js", "style.js", "understudy.js"].map((name) => import(new URL(name, HERE).href)),
    );
    const { ICommandPalette, IToolbarWidgetRegistry } = apputils;
    return {
      id: `${NAME}:plugin`,
      description: "Toolbar, state marks and commands for notebooks that are pipelines.",
      autoStart: true,
      requires: [INotebookTracker, IToolbarWidgetRegistry],
      optional: [ICommandPalette, ISettingRegistry],
      activate: (app, tracker, toolbars, palette, settings) => {
        document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE + MORE }));
        const pipelines = new WeakMap();
        let marks = true;
        let means = "()";
        const of = (panel) => {
          if (!pipelines.has(panel)) {
            pipelines.set(panel, new Pipeline(panel, { NotebookActions, services, marks: () => marks, means: () => means }));
          }
          return pipelines.get(panel);
        };
        toolbars.addFactory("Notebook", NAME, (panel) => {
          const widget = new Widget({ node: document.createElement("div") });
          widget.node.append(of(panel).node);
          return widget;
        });
        tracker.widgetAdded.connect((_, panel) => of(panel));
        settings
          ?.load(`${NAME}:plugin`)
          .then((found) => {
            const read = () => {
              marks = found.composite.marks !== false;
              const { workers = 1, executor = "" } = found.composite;
              means = `(${Math.trunc(Number(workers)) || 1}, ${JSON.stringify(String(executor))})`;
              tracker.forEach((panel) => of(panel).draw());
            };
            found.changed.connect(read);
            read();
          })
          .catch((error) => console.warn("nbsteps: no settings", error));
        addCommands(app, tracker, of, palette);
      },
    };
  }

  function addCommands(app, tracker, of, palette) {
    const current = () => (tracker.currentWidget ? of(tracker.currentWidget) : null);
    const commands = {
      run: ["Run Pipeline", (pipeline) => pipeline.run(), (pipeline) => !pipeline.running && !pipeline.asked],
      cancel: ["Cancel Pipeline Run", (pipeline) => pipeline.cancel(), (pipeline) => pipeline.busy],
      show: ["Show Pipeline", (pipeline) => pipeline.show(), () => true],
    };
    for (const [name, [label, execute, enabled]] of Object.entries(commands)) {
      const command = `${NAME}:${name}`;
      app.commands.addCommand(command, {
        label,
        caption: label,
        isEnabled: () => Boolean(current() && enabled(current())),
        execute: () => current() && execute(current()),
      });
      palette?.addItem({ command, category: "Pipeline" });
    }
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[NAME] = {
    init(scope) {
      shared = scope;
    },
    async get(module) {
      if (module !== "./extension") throw new Error(`nbsteps has no module ${module}`);
      const found = await plugin();
      return () => ({ __esModule: true, default: found });
    },
  };
})();

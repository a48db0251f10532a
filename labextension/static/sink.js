const STEP_KEY = "nbsteps_step";
const PATIENCE = 3000; // milliseconds

// Puts what a run shows into the cells of its steps, as the kernel marks it in the stream.
export class Sink {
  constructor(pipeline) {
    this.pipeline = pipeline;
    this.step = "";
    this.outputs = null;
    this.displays = new Map(); // what can be updated: the display's name to [outputs, position in them]
    this.cleared = new Set();
    this.shown = false;
    this.question = null;
  }

  take(message) {
    const { msg_type: kind } = message.header;
    const { content } = message;
    const step = content.metadata?.[STEP_KEY];
    if (kind === "display_data" && step !== undefined) {
      this.turnTo(step);
      return;
    }
    if (kind === "update_display_data") this.renew(content);
    if (kind === "clear_output") this.clear(content.wait);
    if (["stream", "display_data", "execute_result", "error"].includes(kind)) this.add(kind, content);
    if (this.question && !this.question.area.node.querySelector(".jp-Stdin")) this.question.show();
  }

  add(kind, content) {
    if (!this.outputs) return;
    this.shown = this.shown || kind === "error";
    const { transient, ...output } = content;
    const length = this.outputs.add({ ...output, output_type: kind });
    const name = kind === "display_data" && transient?.display_id;
    if (name) this.displays.set(name, [...(this.displays.get(name) ?? []), [this.outputs, length - 1]]);
  }

  renew({ transient, data, metadata }) {
    for (const [outputs, at] of this.displays.get(transient?.display_id) ?? []) {
      if (outputs.get(at)?.type === "display_data") outputs.set(at, { output_type: "display_data", data, metadata });
    }
  }

  clear(wait) {
    for (const [name, places] of this.displays) {
      this.displays.set(name, places.filter(([outputs]) => outputs !== this.outputs));
    }
    this.outputs?.clear(wait);
  }

  // What a step asks with input() is asked below its cell, as when the cell is executed. The question comes another way
  // than what tells whose it is, and may be earlier.
  async ask(message, future) {
    const end = Date.now() + PATIENCE;
    while (!this.step && Date.now() < end) await new Promise((resolve) => window.setTimeout(resolve, 50));
    const area = this.pipeline.cellOf(this.step)?.outputArea;
    if (!area?.onInputRequest) {
      this.pipeline.cancel(); // nobody could answer
      return;
    }
    const answered = Object.create(future);
    answered.sendInputReply = (...answer) => {
      this.question = null;
      future.sendInputReply(...answer);
    };
    // What clears the outputs clears the question with them, and may have been sent before it.
    this.question = { area, show: () => area.onInputRequest(message, answered) };
    this.question.show();
  }

  // What nobody has answered when the run ends, nobody asks any more.
  close() {
    for (const panel of [...(this.question?.area.widgets ?? [])]) {
      if (panel.node.querySelector(".jp-Stdin")) panel.dispose();
    }
    this.question = null;
  }

  turnTo(step) {
    this.step = step;
    const outputs = step ? this.pipeline.cellOf(step)?.model.outputs : null;
    if (outputs && !this.cleared.has(step)) {
      outputs.clear();
      this.cleared.add(step);
    }
    this.outputs = outputs;
  }
}

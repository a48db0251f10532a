const STEP_KEY = "nbsteps_step";

// Puts what a run shows into the cells of its steps, as the kernel marks it in the stream.
export class Sink {
  constructor(pipeline) {
    this.pipeline = pipeline;
    this.outputs = null;
    this.cleared = new Set();
    this.shown = false;
  }

  take(message) {
    const { msg_type: kind } = message.header;
    const { content } = message;
    const step = content.metadata?.[STEP_KEY];
    if (kind === "display_data" && step !== undefined) {
      this.turnTo(step);
      return;
    }
    if (!this.outputs || !["stream", "display_data", "execute_result", "error"].includes(kind)) return;
    this.shown = this.shown || kind === "error";
    this.outputs.add({ ...content, output_type: kind });
  }

  turnTo(step) {
    const outputs = step ? this.pipeline.cellOf(step)?.model.outputs : null;
    if (outputs && !this.cleared.has(step)) {
      outputs.clear();
      this.cleared.add(step);
    }
    this.outputs = outputs;
  }
}

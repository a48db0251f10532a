// Requests that a kernel leaves lying. ipykernel 7.0 to 7.3 may not notice one that arrives while they send a reply: the
// kernel is idle, the cell is never executed, and neither an interrupt nor another request helps, only that somebody
// connects anew (ipykernel's issue 1554, mended in 7.4). On a busy machine this hit one first cell in ten. Once nbsteps
// is loaded the kernel sees to it by itself.

const SILENCE = 3000; // milliseconds without a sign of a request, in a kernel that does nothing else
const TRIES = 3;
const OCCUPIED = ["busy", "starting", "restarting", "autorestarting", "terminating", "dead"];
const INFO = "info"; // what a page asks for first

// Whether a kernel executes something, by its server, which knows so before the kernel has told the page.
export async function isBusy(kernel, services) {
  const model = await services.KernelAPI.getKernelModel(kernel.id, kernel.serverSettings).catch(() => null);
  return model?.execution_state === "busy";
}

export class Rouser {
  // wanted: whether the notebook is one that we look after.
  constructor(kernel, services, wanted) {
    this.kernel = kernel;
    this.services = services;
    this.wanted = wanted;
    this.waiting = new Set([INFO]); // requests without a sign
    this.tries = 0;
    this.timer = window.setTimeout(() => this.look(), SILENCE);
    kernel.info.then(() => this.heard(INFO)).catch(() => this.close());
    kernel.anyMessage.connect(this.saw, this);
  }

  close() {
    window.clearTimeout(this.timer);
    this.kernel.anyMessage.disconnect(this.saw, this);
  }

  saw(_, { msg, direction }) {
    if (direction === "recv") this.heard(msg.parent_header.msg_id);
    else if (msg.header.msg_type === "execute_request") this.asked(msg.header.msg_id);
  }

  asked(request) {
    this.waiting.add(request);
    this.again();
  }

  heard(request) {
    if (this.waiting.delete(request)) this.again();
  }

  again() {
    window.clearTimeout(this.timer);
    this.tries = 0;
    if (this.waiting.size > 0) this.timer = window.setTimeout(() => this.look(), SILENCE);
  }

  async look() {
    if (this.kernel.isDisposed) return;
    if (this.wanted() && !OCCUPIED.includes(this.kernel.status) && !(await isBusy(this.kernel, this.services))) {
      this.tries += 1;
      await this.rouse();
    }
    if (this.kernel.isDisposed || this.waiting.size === 0 || this.tries >= TRIES) return;
    this.timer = window.setTimeout(() => this.look(), SILENCE);
  }

  // Connect once more, for a moment.
  async rouse() {
    const other = this.kernel.clone();
    try {
      await Promise.race([other.info, new Promise((resolve) => window.setTimeout(resolve, SILENCE))]);
    } catch (error) {
      // the kernel is gone
    } finally {
      other.dispose();
    }
  }
}

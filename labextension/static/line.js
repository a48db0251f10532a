// A way to talk with the kernel's side of nbsteps that does not wait for the end of the cell that is executed.

const SOON = 1000; // milliseconds in which a kernel that is free says what it can do
const STARTING = 2000; // and in which one that starts does, after it has answered over the control channel

function elapsed(milliseconds) {
  return new Promise((resolve) => window.setTimeout(resolve, milliseconds));
}

// Ask over the control channel, which a busy kernel answers, too.
async function asked(kernel, services, msgType, content = {}) {
  const from = { username: kernel.username, session: kernel.clientId };
  const message = services.KernelMessage.createMessage({ msgType, channel: "control", content, ...from });
  return (await kernel.sendControlMessage(message, true).done).content;
}

// What a page does not know yet that was loaded during a run: a subshell of our own where the kernel has any and the
// page knows of them (from JupyterLab 4.4 on); else the control channel is tried, which the kernel may serve. A kernel
// that only starts is heard over the shell soon after it answers here, and is left alone.
async function wayIn(kernel, services) {
  const info = await asked(kernel, services, "kernel_info_request");
  if (await Promise.race([kernel.info.then(() => true), elapsed(STARTING)])) return {};
  const subshells = kernel.supportsSubshells !== undefined && info.supported_features?.includes("kernel subshells");
  if (!subshells) return { control: true };
  return { subshell: (await asked(kernel, services, "create_subshell_request")).subshell_id };
}

// The comm that a page opens: on a subshell where page and kernel know them, else over the control channel where the
// kernel serves that.
export class Line {
  constructor(kernel, services, comm, { subshell = null, control = false }) {
    this.kernel = kernel;
    this.services = services;
    this.comm = comm;
    this.subshell = subshell;
    this.control = control;
    this.kept = null; // what waits for the first sign of the kernel
  }

  static async open(kernel, services, target, { heard, lost }) {
    const known = await Promise.race([kernel.info.then(() => true), elapsed(SOON)]);
    // Kernels that say nothing over the control channel are waited for.
    const way = known ? {} : await Promise.race([wayIn(kernel, services).catch(() => ({})), kernel.info.then(() => ({}))]);
    const comm = kernel.createComm(target);
    const line = new Line(kernel, services, comm, way);
    comm.onMsg = ({ content: { data } }) => {
      if (data.control !== undefined) line.control = data.control && !kernel.supportsSubshells;
      line.release();
      heard(data);
    };
    comm.onClose = () => lost(line);
    // From a subshell on Cancel is heard while a cell runs; a kernel that has none is interrupted instead.
    if (kernel.supportsSubshells && !way.subshell) await Promise.race([comm.subshellStarted, elapsed(SOON)]);
    line.start = () => line.begin(target);
    return line;
  }

  begin(target) {
    if (!this.aside) {
      this.comm.open({});
      return;
    }
    this.post("comm_open", { target_name: target, data: {} });
    if (!this.control) return;
    // A kernel that does not serve its control channel hears of us when it is free, with what was to be sent meanwhile.
    this.kept = [];
    const again = () => {
      if (!this.kept || this.comm.isDisposed) return;
      this.control = false;
      this.comm.open({});
      this.release();
    };
    this.kernel.info.then(again).catch(() => null);
  }

  release() {
    const { kept } = this;
    this.kept = null;
    for (const data of kept ?? []) this.send(data);
  }

  // Whether messages go another way than the comm's own.
  get aside() {
    return Boolean(this.subshell || this.control);
  }

  post(msgType, content) {
    const { kernel, subshell: subshellId, comm, control } = this;
    const message = this.services.KernelMessage.createMessage({
      msgType,
      channel: control ? "control" : "shell",
      username: kernel.username,
      session: kernel.clientId,
      subshellId,
      content: { comm_id: comm.commId, ...content },
    });
    if (control) kernel.sendControlMessage(message, false, true);
    else kernel.sendShellMessage(message, false, true);
  }

  send(data) {
    if (this.comm.isDisposed) return;
    if (this.kept) this.kept.push(data);
    else if (this.aside) this.post("comm_msg", { data });
    else this.comm.send(data);
  }

  close() {
    if (this.comm.isDisposed) return;
    try {
      if (this.aside) this.post("comm_close", { data: {} });
      else this.comm.close();
      const { kernel, services, subshell } = this;
      if (subshell) asked(kernel, services, "delete_subshell_request", { subshell_id: subshell }).catch(() => null);
    } catch (error) {
      // the kernel is gone
    }
    this.comm.dispose();
  }
}

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

// A subshell of our own, where the page does not know yet whether the kernel has any: it was loaded during a run.
// A kernel that only starts says so over the shell soon after it answers here, and is left alone.
async function ownSubshell(kernel, services) {
  const info = await asked(kernel, services, "kernel_info_request");
  if (!info.supported_features?.includes("kernel subshells")) return null;
  if (await Promise.race([kernel.info.then(() => true), elapsed(STARTING)])) return null;
  return (await asked(kernel, services, "create_subshell_request")).subshell_id ?? null;
}

// The comm that a page opens, on a subshell where the kernel has any.
export class Line {
  constructor(kernel, services, comm, subshell) {
    this.kernel = kernel;
    this.services = services;
    this.comm = comm;
    this.subshell = subshell;
  }

  static async open(kernel, services, target, { heard, lost }) {
    const known = await Promise.race([kernel.info.then(() => true), elapsed(SOON)]);
    // Kernels that say nothing over the control channel are waited for.
    const subshell = known
      ? null
      : await Promise.race([ownSubshell(kernel, services).catch(() => null), kernel.info.then(() => null)]);
    const comm = kernel.createComm(target);
    const line = new Line(kernel, services, comm, subshell);
    comm.onMsg = (message) => heard(message.content.data);
    comm.onClose = () => lost(line);
    // From a subshell on Cancel is heard while a cell runs; a kernel that has none is interrupted instead.
    if (kernel.supportsSubshells && !subshell) await Promise.race([comm.subshellStarted, elapsed(SOON)]);
    line.start = () => (subshell ? line.post("comm_open", { target_name: target, data: {} }) : comm.open({}));
    return line;
  }

  post(msgType, content) {
    const { kernel, subshell: subshellId, comm } = this;
    const message = this.services.KernelMessage.createMessage({
      msgType,
      channel: "shell",
      username: kernel.username,
      session: kernel.clientId,
      subshellId,
      content: { comm_id: comm.commId, ...content },
    });
    kernel.sendShellMessage(message, false, true);
  }

  send(data) {
    if (this.comm.isDisposed) return;
    if (this.subshell) this.post("comm_msg", { data });
    else this.comm.send(data);
  }

  close() {
    if (this.comm.isDisposed) return;
    try {
      if (this.subshell) {
        this.post("comm_close", { data: {} });
        asked(this.kernel, this.services, "delete_subshell_request", { subshell_id: this.subshell }).catch(() => null);
      } else this.comm.close();
    } catch (error) {
      // the kernel is gone
    }
    this.comm.dispose();
  }
}

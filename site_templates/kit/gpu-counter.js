/**
 * Counts what the GPU is asked to do, on the prototypes, before ONNX Runtime touches them. The counts prove that a
 * model really ran on WebGPU, and they tell the watchdog that silent work is going on.
 *
 * @typedef {import("./types.js").Stats} Stats
 */

/** The READ bit of GPUMapMode. */
const mapModeRead = 1;

/**
 * @param {() => void} onProgress  called when work is handed over, and when the GPU has finished some
 * @returns {Stats} counted up in place; stays at zero where there is no WebGPU
 */
export function countGpuWork(onProgress) {
  /** @type {Stats} */
  const stats = { dispatches: 0, submits: 0, maps: 0, bytesRead: 0 };
  if (typeof GPUQueue === "undefined") return stats;
  countCalls(GPUComputePassEncoder.prototype, ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"], () => {
    stats.dispatches++;
    onProgress();
  });
  countCalls(GPUBuffer.prototype, ["mapAsync"], (buffer, mode, offset = 0, size = buffer.size - offset) => {
    stats.maps++;
    if (mode & mapModeRead) stats.bytesRead += size;
    onProgress();
  });
  const watchCompletion = makeCompletionWatch(onProgress);
  countCalls(GPUQueue.prototype, ["submit"], (queue) => {
    stats.submits++;
    onProgress();
    watchCompletion(queue);
  });
  return stats;
}

/**
 * @param {any} prototype
 * @param {string[]} names
 * @param {(self: any, ...args: any[]) => void} onCall  runs after the call, with what it was called on
 */
function countCalls(prototype, names, onCall) {
  for (const name of names) {
    const original = prototype[name];
    /** @param {any[]} args */
    prototype[name] = function (...args) {
      const result = original.apply(this, args);
      onCall(this, ...args);
      return result;
    };
  }
}

/**
 * A long kernel is silent on this side: the GPU saying that it has finished is the only sign of life. One question at
 * a time is enough.
 * @param {() => void} onProgress
 * @returns {(queue: GPUQueue) => void}
 */
function makeCompletionWatch(onProgress) {
  let waiting = false;
  return (queue) => {
    if (waiting) return;
    waiting = true;
    const done = () => {
      waiting = false;
    };
    queue.onSubmittedWorkDone().then(() => {
      done();
      onProgress();
    }, done); // a lost device reports itself through `device.lost`
  };
}

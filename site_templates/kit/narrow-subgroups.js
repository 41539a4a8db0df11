/**
 * ONNX Runtime's attention computes with subgroups where a device has them, and is wrong from 32 tokens on where they
 * are narrower than 8 (SwiftShader has 4). Such a device is made without them: the kernels that do not use them are right.
 */

const narrowestRight = 8;

/** To be called before ONNX Runtime asks for its device. */
export function avoidNarrowSubgroups() {
  if (typeof GPUAdapter === "undefined") return;
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = function (descriptor = {}) {
    const { subgroupMinSize = narrowestRight } = this.info;
    if (subgroupMinSize >= narrowestRight) return requestDevice.call(this, descriptor);
    const requiredFeatures = [...(descriptor.requiredFeatures ?? [])].filter((feature) => !feature.startsWith("subgroup"));
    return requestDevice.call(this, { ...descriptor, requiredFeatures });
  };
}

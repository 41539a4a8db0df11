import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";

import { hashBytes, hashInScript } from "../../site_templates/kit/sha256.js";

const reference = (/** @type {Uint8Array} */ bytes) => createHash("sha256").update(bytes).digest("hex");

test("the script gives node's own hash at every length around a block", () => {
  for (const length of [0, 1, 3, 54, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1000, 65_537]) {
    const bytes = new Uint8Array(randomBytes(length));
    assert.equal(hashInScript(bytes), reference(bytes), `${length} bytes`);
  }
});

test("hashBytes sees only the bytes of the view", async () => {
  const view = new Uint8Array(randomBytes(100)).subarray(10, 90);
  assert.equal(await hashBytes(view), reference(view));
  assert.equal(hashInScript(view), reference(view));
});

test("without crypto.subtle the script takes over", async () => {
  const bytes = new Uint8Array(randomBytes(200));
  const original = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  try {
    assert.equal(await hashBytes(bytes), reference(bytes));
  } finally {
    if (original) Object.defineProperty(globalThis, "crypto", original);
  }
});

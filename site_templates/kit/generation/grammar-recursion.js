/** Schemas that name themselves: whether there is a value at all that comes to an end. */

/**
 * @param {unknown} root
 * @param {unknown} schema
 * @param {(root: unknown, ref: unknown) => unknown} findRef
 * @param {ReadonlySet<string>} [open]  the references that are being followed
 * @returns {boolean}
 */
export function isFinite(root, schema, findRef, open = new Set()) {
  const finite = (/** @type {unknown} */ part) => isFinite(root, part, findRef, open);
  if (schema === null || typeof schema !== "object") return true;
  const { $ref, anyOf, oneOf, allOf, type, properties, required, prefixItems, items, minItems } = /** @type {any} */ (schema);
  if ($ref !== undefined) {
    return !open.has($ref) && isFinite(root, findRef(root, $ref), findRef, new Set([...open, $ref]));
  }
  const branches = anyOf ?? oneOf ?? allOf;
  if (Array.isArray(branches)) return branches.some(finite);
  if (Array.isArray(type) && type.some((each) => each !== "object" && each !== "array")) return true;
  const needed = Array.isArray(required) ? required.map((name) => properties?.[name]) : [];
  const listed = [...needed, ...(Array.isArray(prefixItems) ? prefixItems : []), ...(minItems > 0 ? [items] : [])];
  return listed.every(finite);
}

/**
 * @param {unknown} root
 * @param {unknown} schema
 * @param {(root: unknown, ref: unknown) => unknown} findRef
 * @param {readonly unknown[]} [open]  the references that are being followed
 * @returns {boolean} whether it comes back to itself before a single character is written
 */
export function isCircular(root, schema, findRef, open = []) {
  if (schema === null || typeof schema !== "object") return false;
  const { $ref, anyOf, oneOf, allOf } = /** @type {any} */ (schema);
  if ($ref !== undefined) return open.includes($ref) || isCircular(root, findRef(root, $ref), findRef, [...open, $ref]);
  const branches = anyOf ?? oneOf ?? allOf;
  return Array.isArray(branches) && branches.some((branch) => isCircular(root, branch, findRef, open));
}

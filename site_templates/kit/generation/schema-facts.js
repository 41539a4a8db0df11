/** What is to be known of a schema before its grammar is written: what it names, whether that ends, what it shuts out. */

/** The keywords of each type. @type {Record<string, string[]>} */
export const typeKeywords = {
  object: ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "format", "pattern"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  boolean: [],
  null: [],
};

/**
 * @param {unknown} root
 * @param {unknown} schema
 * @param {ReadonlySet<string>} [open]  the references that are being followed
 * @returns {boolean}
 */
export function comesToEnd(root, schema, open = new Set()) {
  const finite = (/** @type {unknown} */ part) => comesToEnd(root, part, open);
  if (schema === null || typeof schema !== "object") return true;
  const { $ref, anyOf, oneOf, allOf, type, properties, required, prefixItems, items, minItems } = /** @type {any} */ (
    schema
  );
  if ($ref !== undefined) {
    return !open.has($ref) && comesToEnd(root, findRef(root, $ref), new Set([...open, $ref]));
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
 * @param {readonly unknown[]} [open]  the references that are being followed
 * @returns {boolean} whether it comes back to itself before a single character is written
 */
export function isCircular(root, schema, open = []) {
  if (schema === null || typeof schema !== "object") return false;
  const { $ref, anyOf, oneOf, allOf } = /** @type {any} */ (schema);
  if ($ref !== undefined) return open.includes($ref) || isCircular(root, findRef(root, $ref), [...open, $ref]);
  const branches = anyOf ?? oneOf ?? allOf;
  return Array.isArray(branches) && branches.some((branch) => isCircular(root, branch, open));
}

/**
 * @param {any} root
 * @param {unknown} ref  such as #/$defs/name
 * @returns {any} undefined where it names nothing here
 */
export function findRef(root, ref) {
  if (typeof ref !== "string" || !/^#(\/|$)/.test(ref)) return undefined;
  const steps = ref.split("/").slice(1);
  return steps.reduce((place, step) => {
    const name = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    return place !== null && typeof place === "object" && Object.hasOwn(place, name) ? place[name] : undefined;
  }, root);
}

/**
 * @param {unknown} value
 * @param {string} type
 * @returns {boolean}
 */
export function isOfType(value, type) {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return value !== null && typeof value === "object" && !Array.isArray(value);
  return typeof value === type;
}

/**
 * @param {any[]} branches
 * @returns {boolean} whether no value can fit two of them
 */
export function areDisjoint(branches) {
  return branches.every((left, index) => branches.slice(index + 1).every((right) => differ(left, right)));
}

/**
 * @param {any} left
 * @param {any} right
 * @returns {boolean}
 */
function differ(left, right) {
  const [mine, others] = [left, right].map(readTypes);
  if (mine.length && others.length && !mine.some((type) => others.includes(type))) return true;
  const shared = (left?.required ?? []).filter((/** @type {string} */ name) => right?.required?.includes?.(name));
  return shared.some((/** @type {string} */ name) => {
    const [these, those] = [left, right].map(({ properties }) => readValues(properties?.[name]));
    return these && those && !these.some((value) => those.includes(value));
  });
}

/**
 * @param {any} schema
 * @returns {string[]} none where it does not say; an integer is a number
 */
function readTypes(schema) {
  const values = readValues(schema);
  const named = schema?.type === undefined ? [] : [schema.type].flat();
  const types = values ? values.map((value) => (value === "null" ? "null" : typeof JSON.parse(value))) : named;
  return types.map((type) => (type === "integer" ? "number" : type));
}

/**
 * @param {any} schema
 * @returns {string[] | null} the values of its const or enum, as JSON
 */
function readValues(schema) {
  if (schema && typeof schema === "object" && "const" in schema) return [JSON.stringify(schema.const)];
  return Array.isArray(schema?.enum) ? schema.enum.map((/** @type {unknown} */ value) => JSON.stringify(value)) : null;
}

/**
 * @param {string[]} keywords  of a schema without a type
 * @returns {string[]} the type that they are about: values of others would be right too, but need not be made
 */
export function guessTypes(keywords) {
  const type = ["object", "array", "string", "number"].find((name) =>
    keywords.some((key) => typeKeywords[name].includes(key)),
  );
  return type ? [type] : [];
}

/**
 * @param {unknown} value
 * @returns {string} short
 */
export function describe(value) {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}

/**
 * From a JSON Schema to a grammar whose every text parses and validates. Where a schema allows more than a grammar can
 * say, the grammar says less (only the properties that are listed, in their order); what it cannot keep is refused by
 * name, never ignored.
 *
 * @typedef {Record<string, any>} Schema
 */

import { KitError } from "../errors.js";
import { textFormats } from "./grammar-formats.js";
import { countDecimals, isCoarse, listNumbers } from "./grammar-numbers.js";
import { isCircular, isFinite } from "./grammar-recursion.js";
import { basicRules, leaveOut, writeCharacters, writeClass, writeLiteral, writePlain } from "./grammar-text.js";

/** What tells people something, and says nothing about which values are right. */
const annotations = new Set(
  "title description default examples example $schema $id $comment $defs definitions deprecated readOnly writeOnly discriminator".split(" "),
);

/** The keywords of each type. @type {Record<string, string[]>} */
const typeKeywords = {
  object: ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  boolean: [],
  null: [],
};

/** A longer text has no state of its own in the engine for every character any more, and every token becomes slow. */
const longestText = 100;
const longestList = 100;
const mostNodes = 2000;
const deepest = 64;

/** One grammar on its way. */
class SchemaGrammar {
  /** @type {Map<string, string>} */
  rules = new Map(Object.entries(basicRules));
  /** The rules of what `$ref` names. @type {Map<string, string>} */
  #refs = new Map();
  /** @type {Map<string, string>} */
  #choices = new Map();
  #nodes = 0;

  /**
   * @param {unknown} root
   * @param {string} param  how the request calls it
   */
  constructor(root, param) {
    this.root = root;
    this.param = param;
  }

  /** @returns {string} the name of the rule of the whole */
  write() {
    return this.#add("json", this.#visit(this.root, [], 0));
  }

  /**
   * @param {string} hint
   * @param {string} body
   * @returns {string} the rule's name
   */
  #add(hint, body) {
    const name = `${hint}_${this.rules.size}`;
    this.rules.set(name, body);
    return name;
  }

  /**
   * @param {unknown} schema
   * @param {string[]} path
   * @param {number} depth
   * @returns {string} an expression: a name, or something in brackets
   */
  #visit(schema, path, depth) {
    if (++this.#nodes > mostNodes) throw this.#refuse(path, `has more than ${mostNodes} parts`);
    if (depth > deepest) throw this.#refuse(path, `is nested more than ${deepest} deep`);
    if (schema === true) return "value";
    if (schema === null || typeof schema !== "object" || Array.isArray(schema)) {
      throw this.#refuse(path, `must be an object, not ${describe(schema)}`);
    }
    const given = /** @type {Schema} */ (schema);
    const keywords = Object.keys(given).filter((key) => !annotations.has(key) && given[key] !== undefined);
    if (!keywords.length) return "value";
    const [combiner] = ["$ref", "const", "enum", "anyOf", "oneOf", "allOf"].filter((key) => keywords.includes(key));
    if (!combiner) return this.#visitTypes(given, keywords, path, depth);
    const beside = keywords.find((key) => key !== combiner && (key !== "type" || !/const|enum/.test(combiner)));
    if (beside) throw this.#refuse(path, `has ${beside} beside ${combiner}, which is not supported`);
    if (combiner === "$ref") return this.#visitRef(given.$ref, path, depth);
    if (combiner === "const" || combiner === "enum") return this.#visitValues(given, path);
    return this.#visitBranches(given, combiner, path, depth);
  }

  /**
   * @param {unknown} ref
   * @param {string[]} path
   * @param {number} depth
   * @returns {string}
   */
  #visitRef(ref, path, depth) {
    const target = findRef(this.root, ref);
    if (target === undefined) throw this.#refuse([...path, "$ref"], `names ${describe(ref)}, which is not in this schema`);
    const key = String(ref);
    const known = this.#refs.get(key);
    if (known) return known;
    const given = { $ref: ref };
    if (isCircular(this.root, given, findRef) || !isFinite(this.root, given, findRef)) {
      throw this.#refuse(path, `leads back to itself without an end (${key})`);
    }
    const name = this.#add("ref", "");
    this.#refs.set(key, name);
    this.rules.set(name, this.#visit(target, [key], depth + 1));
    return name;
  }

  /**
   * @param {Schema} schema
   * @param {string[]} path
   * @returns {string}
   */
  #visitValues(schema, path) {
    const values = "const" in schema ? [schema.const] : schema.enum;
    if (!Array.isArray(values) || !values.length) throw this.#refuse([...path, "enum"], "must be a list that is not empty");
    const types = schema.type === undefined ? null : [schema.type].flat();
    const fitting = values.filter((value) => !types || types.some((type) => isOfType(value, type)));
    if (!fitting.length) throw this.#refuse(path, `has no value of its type ${describe(schema.type)}`);
    return this.#addChoice(fitting.map((value) => [...JSON.stringify(value)]));
  }

  /**
   * Texts that begin alike go on together: the engine makes mistakes with long lists of them.
   * @param {readonly string[][]} texts  each a list of the characters that may stand at one place after the other
   * @returns {string} the rule of any of these
   */
  #addChoice(texts) {
    const key = [...new Set(texts.map((text) => text.join("\0")))].sort().join("\0\0");
    const known = this.#choices.get(key);
    if (known) return known;
    /** @type {Map<string, string[][]>} */
    const rests = new Map();
    for (const [first, ...rest] of texts) {
      for (const character of first ?? "") rests.set(character, [...(rests.get(character) ?? []), rest]);
    }
    /** @type {Map<string, string[]>} */
    const firsts = new Map();
    for (const [character, following] of rests) {
      const next = this.#addChoice(following);
      firsts.set(next, [...(firsts.get(next) ?? []), writeLiteral(character)]);
    }
    const end = texts.some((text) => !text.length) ? ['""'] : [];
    const parts = [...end, ...[...firsts].map(([next, characters]) => `(${characters.join(" | ")}) ${next}`)];
    const choice = parts.length === 1 ? parts[0] : this.#add("choice", parts.join(" | "));
    this.#choices.set(key, choice);
    return choice;
  }

  /**
   * @param {Schema} schema
   * @param {string} combiner
   * @param {string[]} path
   * @param {number} depth
   * @returns {string}
   */
  #visitBranches(schema, combiner, path, depth) {
    const branches = schema[combiner];
    const here = [...path, combiner];
    if (!Array.isArray(branches) || !branches.length) throw this.#refuse(here, "must be a list that is not empty");
    if (combiner === "allOf" && branches.length > 1) throw this.#refuse(here, "with more than one schema is not supported");
    if (combiner === "oneOf" && !areDisjoint(branches.map((branch) => this.#resolve(branch)))) {
      throw this.#refuse(here, "is supported only where a type or a required const tells the schemas apart; use anyOf");
    }
    const parts = branches.map((branch, index) => this.#visit(branch, [...here, String(index)], depth + 1));
    return `(${parts.join(" | ")})`;
  }

  /**
   * @param {any} schema
   * @returns {any} what its $ref names, if it has one
   */
  #resolve(schema) {
    return typeof schema?.$ref === "string" ? (findRef(this.root, schema.$ref) ?? schema) : schema;
  }

  /**
   * @param {Schema} schema
   * @param {string[]} keywords
   * @param {string[]} path
   * @param {number} depth
   * @returns {string}
   */
  #visitTypes(schema, keywords, path, depth) {
    const types = schema.type === undefined ? guessTypes(keywords) : [schema.type].flat();
    for (const type of types) {
      if (!Object.hasOwn(typeKeywords, type)) throw this.#refuse([...path, "type"], `is ${describe(type)}, which is not a type`);
    }
    const allowed = new Set(["type", ...types.flatMap((type) => typeKeywords[type])]);
    const unknown = keywords.find((key) => !allowed.has(key));
    if (unknown) throw this.#refuse(path, `has the keyword ${unknown}, which is not supported ${types.length ? "here" : "without a type"}`);
    const parts = types.map((type) => this.#visitType(type, schema, path, depth));
    return parts.length === 1 ? parts[0] : `(${parts.join(" | ")})`;
  }

  /**
   * @param {string} type
   * @param {Schema} schema
   * @param {string[]} path
   * @param {number} depth
   * @returns {string}
   */
  #visitType(type, schema, path, depth) {
    if (type === "object") return this.#visitObject(schema, path, depth);
    if (type === "array") return this.#visitArray(schema, path, depth);
    if (type === "string") return this.#visitString(schema, path);
    if (type === "number" || type === "integer") return this.#visitNumber(schema, type, path);
    return type === "null" ? '"null"' : type;
  }

  /**
   * @param {Schema} schema
   * @param {"number" | "integer"} type
   * @param {string[]} path
   * @returns {string}
   */
  #visitNumber(schema, type, path) {
    const limits = Object.fromEntries(typeKeywords.number.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]]));
    for (const [key, limit] of Object.entries(limits)) {
      if (typeof limit !== "number" || !Number.isFinite(limit)) throw this.#refuse([...path, key], `must be a number, not ${describe(limit)}`);
      if (!isCoarse(limit)) throw this.#refuse([...path, key], `has ${countDecimals(limit)} decimals, which are too many`);
    }
    if (!Object.keys(limits).length) return type;
    const numbers = listNumbers(limits, type === "integer");
    if (!numbers.length) throw this.#refuse(path, "allows no number at all");
    return this.#addChoice(numbers);
  }

  /**
   * @param {Schema} schema
   * @param {string[]} path
   * @returns {string}
   */
  #visitString(schema, path) {
    if (schema.format !== undefined) return this.#visitFormat(schema, path);
    const least = this.#readCount(schema, "minLength", path) ?? 0;
    const most = this.#readCount(schema, "maxLength", path) ?? Infinity;
    if (!least && most === Infinity) return "string";
    if (least > most) throw this.#refuse(path, "allows no text at all");
    const states = most === Infinity ? least : most;
    if (states > longestText) throw this.#refuse(path, `has a length of ${states}: texts can be measured up to ${longestText} characters`);
    return `("\\"" ${this.#addLength(least, most)})`;
  }

  /**
   * @param {Schema} schema
   * @param {string[]} path
   * @returns {string}
   */
  #visitFormat({ format, minLength, maxLength }, path) {
    if (!Object.hasOwn(textFormats, format)) {
      throw this.#refuse([...path, "format"], `is ${describe(format)}; supported are ${Object.keys(textFormats).join(", ")}`);
    }
    if (minLength !== undefined || maxLength !== undefined) throw this.#refuse(path, "has a length beside format, which is not supported");
    return `("\\"" ${textFormats[format].map((part) => this.#addChoice(part)).join(" ")} "\\"")`;
  }

  /**
   * @param {number} least  characters that must follow
   * @param {number} most  characters that may follow
   * @returns {string} the rule of the rest of a string; rules are shared between all strings
   */
  #addLength(least, most) {
    if (!least && most === Infinity) return "rest";
    const name = `rest_${least}_${most === Infinity ? "any" : most}`;
    if (this.rules.has(name)) return name;
    const end = least ? [] : ['"\\""'];
    this.rules.set(name, "");
    const next = most ? this.#addLength(Math.max(0, least - 1), most - 1) : "";
    const more = most ? [writeCharacters(next)] : [];
    this.rules.set(name, `(${[...end, ...more].join(" | ")}) (= [,}\\]: ])`);
    return name;
  }

  /**
   * @param {Schema} schema
   * @param {string[]} path
   * @param {number} depth
   * @returns {string}
   */
  #visitArray(schema, path, depth) {
    if (schema.uniqueItems) throw this.#refuse(path, "has the keyword uniqueItems, which is not supported");
    const first = schema.prefixItems ?? [];
    if (!Array.isArray(first)) throw this.#refuse([...path, "prefixItems"], "must be a list");
    const least = this.#readCount(schema, "minItems", path) ?? 0;
    const open = schema.items !== false && (schema.items !== undefined || !first.length);
    const most = Math.min(this.#readCount(schema, "maxItems", path) ?? Infinity, open ? Infinity : first.length);
    if (least > most) throw this.#refuse(path, "allows no list at all");
    if (Math.max(least, most === Infinity ? 0 : most) > longestList) {
      throw this.#refuse(path, `has more than ${longestList} items: longer lists cannot be counted`);
    }
    const fixed = first.slice(0, most).map((item, index) => this.#visit(item, [...path, "prefixItems", String(index)], depth + 1));
    const items = open ? this.#visit(schema.items ?? true, [...path, "items"], depth + 1) : "";
    return this.#add("array", writeList(fixed, items, Math.max(0, least - fixed.length), most - fixed.length));
  }

  /**
   * @param {Schema} schema
   * @param {string[]} path
   * @param {number} depth
   * @returns {string}
   */
  #visitObject(schema, path, depth) {
    const { properties = {}, required = [], additionalProperties: extra = !schema.properties } = schema;
    if (properties === null || typeof properties !== "object" || Array.isArray(properties)) {
      throw this.#refuse([...path, "properties"], `must be an object, not ${describe(properties)}`);
    }
    if (!Array.isArray(required) || required.some((name) => typeof name !== "string")) {
      throw this.#refuse([...path, "required"], "must be a list of names");
    }
    const unlisted = required.filter((name) => !Object.hasOwn(properties, name));
    if (unlisted.length && extra === false) throw this.#refuse([...path, "required"], `names ${describe(unlisted[0])}, which is not among the properties`);
    const all = { ...properties, ...Object.fromEntries(unlisted.map((name) => [name, extra])) };
    const names = Object.keys(all);
    const pairs = names.map((name) => {
      const value = this.#visit(all[name], [...path, "properties", name], depth + 1);
      return { text: `${writeLiteral(`${JSON.stringify(name)}:`)} space ${value}`, needed: required.includes(name) };
    });
    const limits = this.#readPropertyLimits(schema, names.length, new Set(required).size, extra !== false, path);
    const other = extra === false ? null : this.#addOther(names, this.#visit(extra, [...path, "additionalProperties"], depth + 1));
    if (!names.length) return this.#add("object", writeMap(other, limits));
    return this.#add("object", `"{" ${this.#addPairs(pairs, other)} "}"`);
  }

  /**
   * @param {Schema} schema
   * @param {number} listed
   * @param {number} needed
   * @param {boolean} open  to other names
   * @param {string[]} path
   * @returns {{least: number, most: number}} what is left to see to, in an object without listed names
   */
  #readPropertyLimits(schema, listed, needed, open, path) {
    const least = this.#readCount(schema, "minProperties", path) ?? 0;
    const most = this.#readCount(schema, "maxProperties", path) ?? Infinity;
    // Two properties may come to have the same name, so more than one cannot be asked for.
    const reachable = least <= needed || (!listed && open && least === 1);
    const kept = most === Infinity || (!open && most >= listed) || (!listed && most <= longestList);
    if (least <= most && reachable && kept) return { least, most };
    throw this.#refuse(path, `has ${reachable ? "maxProperties" : "minProperties"} that cannot be kept`);
  }

  /**
   * @param {readonly {text: string, needed: boolean}[]} pairs  one or more
   * @param {string | null} other  the rule of pairs that are not listed
   * @returns {string} what stands between the braces
   */
  #addPairs(pairs, other) {
    let tail = other ? `("," space ${other})*` : '""';
    let head = other ? `(${other} ("," space ${other})*)?` : '""';
    for (const { text, needed } of [...pairs].reverse()) {
      const first = `${text} ${tail}`;
      head = needed ? first : this.#add("head", `${first} | ${head}`);
      tail = this.#add("tail", needed ? `"," space ${first}` : `"," space ${first} | ${tail}`);
    }
    return head;
  }

  /**
   * @param {readonly string[]} names  that it must not have
   * @param {string} value
   * @returns {string} the rule of a pair
   */
  #addOther(names, value) {
    const key = names.length ? `"\\"" ${this.#addOtherName(names.filter(isPlain).map((name) => [...name]))}` : "string";
    return this.#add("other", `${key} ":" space ${value}`);
  }

  /**
   * Names are written without escapes here: otherwise one that is listed could come in disguise.
   * @param {readonly string[][]} names  what is left of them, in characters
   * @returns {string} the rule of the rest of a name that is none of these
   */
  #addOtherName(names) {
    const firsts = [...new Set(names.flatMap(([first]) => (first === undefined ? [] : [first])))];
    if (!this.rules.has("name_rest")) this.rules.set("name_rest", `"\\"" | ${writePlain("name_rest")}`);
    // Beyond ASCII a character is several bytes: where one is taken, none of them is free.
    const wide = firsts.some((first) => first > "\x7f");
    const ranges = leaveOut(firsts);
    const free = wide ? `${writeClass(ranges)} name_rest` : writePlain("name_rest", ranges);
    const on = firsts.map((first) => {
      const rest = names.filter((name) => name[0] === first).map((name) => name.slice(1));
      return `${writeLiteral(first)} ${this.#addOtherName(rest)}`;
    });
    const end = names.some((name) => !name.length) ? [] : ['"\\""'];
    return this.#add("name", [...end, free, ...on].join(" | "));
  }

  /**
   * @param {Schema} schema
   * @param {string} key
   * @param {string[]} path
   * @returns {number | null}
   */
  #readCount(schema, key, path) {
    const count = schema[key] ?? null;
    if (count === null || (Number.isInteger(count) && count >= 0)) return count;
    throw this.#refuse([...path, key], `must be a whole number, not ${describe(count)}`);
  }

  /**
   * @param {string[]} path
   * @param {string} what
   * @returns {KitError}
   */
  #refuse(path, what) {
    const place = [this.param, ...path].join(".");
    return new KitError("bad-input", `${place} ${what}.`, { param: this.param });
  }
}

/**
 * @param {unknown} schema
 * @param {string} param  how the request calls it, such as response_format.json_schema.schema
 * @returns {{rules: Map<string, string>, root: string}} the rules by name, and the name of the first
 */
export function makeSchemaRules(schema, param) {
  const grammar = new SchemaGrammar(schema, param);
  const root = grammar.write();
  return { rules: grammar.rules, root };
}

/**
 * @param {ReturnType<typeof makeSchemaRules>} grammar
 * @returns {string} in the engine's notation
 */
export function printGrammar({ rules, root }) {
  return [["root", root], ...rules].map(([name, body]) => `${name} ::= ${body}\n`).join("");
}

/**
 * @param {string} name
 * @returns {boolean} whether it can be written without an escape
 */
function isPlain(name) {
  return JSON.stringify(name) === `"${name}"`;
}

/**
 * @param {any} root
 * @param {unknown} ref  such as #/$defs/name
 * @returns {any} undefined where it names nothing here
 */
function findRef(root, ref) {
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
function isOfType(value, type) {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return value !== null && typeof value === "object" && !Array.isArray(value);
  return typeof value === type;
}

/**
 * @param {string[]} keywords  of a schema without a type
 * @returns {string[]} the type that they are about: values of others would be right too, but need not be made
 */
function guessTypes(keywords) {
  const type = ["object", "array", "string", "number"].find((name) => keywords.some((key) => typeKeywords[name].includes(key)));
  return type ? [type] : [];
}

/**
 * @param {any[]} branches
 * @returns {boolean} whether no value can fit two of them
 */
function areDisjoint(branches) {
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
 * @param {string[]} fixed  the first items: all of them are written, whether they need to be or not
 * @param {string} items  those after; "" for none
 * @param {number} least  how many of them
 * @param {number} most
 * @returns {string}
 */
function writeList(fixed, items, least, most) {
  const more = items && most > 0 ? `("," space ${items}){${Math.max(0, fixed.length ? least : least - 1)},${writeMost(most - (fixed.length ? 0 : 1))}}` : "";
  if (fixed.length) return `"[" ${fixed.join(' "," space ')} ${more} "]"`;
  if (!more) return '"[]"';
  return `"[" ${items} ${more} "]"${least ? "" : ' | "[]"'}`;
}

/**
 * @param {number} most
 * @returns {string}
 */
function writeMost(most) {
  return most === Infinity ? "" : String(most);
}

/**
 * @param {string | null} pair
 * @param {{least: number, most: number}} limits
 * @returns {string} an object whose names are free
 */
function writeMap(pair, { least, most }) {
  if (!pair || most === 0) return '"{}"';
  return `"{" ${pair} ("," space ${pair}){0,${writeMost(most - 1)}} "}"${least ? "" : ' | "{}"'}`;
}

/**
 * @param {unknown} value
 * @returns {string} short
 */
function describe(value) {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}

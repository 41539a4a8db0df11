/**
 * From a JSON Schema to a grammar whose every text parses and validates. Where a schema allows more than a grammar can
 * say, the grammar says less (only the properties that are listed, in their order); what it cannot keep is refused by
 * name, never ignored.
 *
 * @typedef {Record<string, any>} Schema
 */

import { KitError } from "../errors.js";
import { countMultiples, findMultipleFault } from "./grammar-multiples.js";
import { countDecimals, isCoarse, listNumbers } from "./grammar-numbers.js";
import { RuleBook, TooManyRules, isPlain } from "./grammar-rules.js";
import { readCount, writeString } from "./grammar-strings.js";
import { addDistinct, findDistinctFault, listValues, writeList } from "./grammar-lists.js";
import { writeLiteral, writeMap } from "./grammar-text.js";
import { areDisjoint, comesToEnd, describe, findRef, guessTypes, isCircular, isOfType, typeKeywords } from "./schema-facts.js";

/** What tells people something, and says nothing about which values are right. */
const annotations = new Set(
  "title description default examples example $schema $id $comment $defs definitions deprecated readOnly writeOnly discriminator".split(
    " ",
  ),
);

const longestList = 10_000;
const mostNodes = 2000;
const deepest = 64;

/** One grammar on its way. */
class SchemaGrammar {
  /** The rules of what `$ref` names. @type {Map<string, string>} */
  #refs = new Map();
  #nodes = 0;

  /**
   * @param {unknown} root
   * @param {string} param  how the request calls it
   * @param {RuleBook} book
   */
  constructor(root, param, book) {
    this.root = root;
    this.param = param;
    this.book = book;
  }

  /** @returns {string} the name of the rule of the whole */
  write() {
    return this.book.add("json", this.#visit(this.root, [], 0));
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
    if (target === undefined)
      throw this.#refuse([...path, "$ref"], `names ${describe(ref)}, which is not in this schema`);
    const key = String(ref);
    const known = this.#refs.get(key);
    if (known) return known;
    const given = { $ref: ref };
    if (isCircular(this.root, given) || !comesToEnd(this.root, given)) {
      throw this.#refuse(path, `leads back to itself without an end (${key})`);
    }
    const name = this.book.add("ref", "");
    this.#refs.set(key, name);
    this.book.rules.set(name, this.#visit(target, [key], depth + 1));
    return name;
  }

  /**
   * @param {Schema} schema
   * @param {string[]} path
   * @returns {string}
   */
  #visitValues(schema, path) {
    const values = "const" in schema ? [schema.const] : schema.enum;
    if (!Array.isArray(values) || !values.length)
      throw this.#refuse([...path, "enum"], "must be a list that is not empty");
    const types = schema.type === undefined ? null : [schema.type].flat();
    const fitting = values.filter((value) => !types || types.some((type) => isOfType(value, type)));
    if (!fitting.length) throw this.#refuse(path, `has no value of its type ${describe(schema.type)}`);
    return this.book.addChoice(fitting.map((value) => [...JSON.stringify(value)]));
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
    if (combiner === "allOf" && branches.length > 1)
      throw this.#refuse(here, "with more than one schema is not supported");
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
      if (!Object.hasOwn(typeKeywords, type))
        throw this.#refuse([...path, "type"], `is ${describe(type)}, which is not a type`);
    }
    const allowed = new Set(["type", ...types.flatMap((type) => typeKeywords[type])]);
    const unknown = keywords.find((key) => !allowed.has(key));
    if (unknown)
      throw this.#refuse(
        path,
        `has the keyword ${unknown}, which is not supported ${types.length ? "here" : "without a type"}`,
      );
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
    if (type === "string") return writeString(schema, this.book, this.#refuseIn(path));
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
    const limits = Object.fromEntries(
      typeKeywords.number.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]]),
    );
    for (const [key, limit] of Object.entries(limits)) {
      if (typeof limit !== "number" || !Number.isFinite(limit))
        throw this.#refuse([...path, key], `must be a number, not ${describe(limit)}`);
      if (!isCoarse(limit))
        throw this.#refuse([...path, key], `has ${countDecimals(limit)} decimals, which are too many`);
    }
    if (!Object.keys(limits).length) return type;
    const { multipleOf, ...bounds } = limits;
    const decimals = Math.max(...Object.values(limits).map(countDecimals));
    const fault = multipleOf === undefined ? "" : findMultipleFault(multipleOf, countDecimals(multipleOf));
    if (fault) throw this.#refuse([...path, "multipleOf"], fault);
    const isWhole = type === "integer" || Number.isInteger(multipleOf);
    const places = isWhole ? 0 : Math.max(2, decimals);
    const tally = multipleOf === undefined ? undefined : countMultiples(multipleOf, Math.max(places, decimals));
    const numbers = this.#addNumbers(listNumbers(bounds, places), tally, path);
    if (!numbers) throw this.#refuse(path, "allows no number at all");
    return numbers;
  }

  /**
   * @param {string[][]} numbers
   * @param {import("./grammar-multiples.js").Tally | undefined} tally
   * @param {string[]} path
   * @returns {string}
   */
  #addNumbers(numbers, tally, path) {
    try {
      return this.book.addChoice(numbers, tally);
    } catch (error) {
      if (!(error instanceof TooManyRules)) throw error;
      throw this.#refuse([...path, "multipleOf"], "takes too many rules between these bounds: narrow them");
    }
  }

  /**
   * @param {Schema} schema
   * @param {string[]} path
   * @param {number} depth
   * @returns {string}
   */
  #visitArray(schema, path, depth) {
    const first = schema.prefixItems ?? [];
    if (!Array.isArray(first)) throw this.#refuse([...path, "prefixItems"], "must be a list");
    const least = readCount(schema, "minItems", this.#refuseIn(path)) ?? 0;
    const open = schema.items !== false && (schema.items !== undefined || !first.length);
    const asked = readCount(schema, "maxItems", this.#refuseIn(path)) ?? Infinity;
    const most = Math.min(asked, open ? Infinity : first.length);
    if (least > most) throw this.#refuse(path, "allows no list at all");
    if (Math.max(least, most === Infinity ? 0 : most) > longestList) {
      throw this.#refuse(path, `has more than ${longestList} items: longer lists cannot be counted`);
    }
    if (schema.uniqueItems && most > 1) return this.#addDistinct(schema, least, most, path, depth);
    const fixed = first
      .slice(0, most)
      .map((item, index) => this.#visit(item, [...path, "prefixItems", String(index)], depth + 1));
    const items = open ? this.#visit(schema.items ?? true, [...path, "items"], depth + 1) : "";
    return this.book.add("array", writeList(fixed, items, Math.max(0, least - fixed.length), most - fixed.length));
  }

  /**
   * @param {Schema} schema
   * @param {number} least
   * @param {number} most
   * @param {string[]} path
   * @param {number} depth
   * @returns {string} lists in which no item comes twice
   */
  #addDistinct({ items, prefixItems }, least, most, path, depth) {
    const values = prefixItems?.length ? null : listValues(items, this.root);
    if (!values) {
      throw this.#refuse(path, "has uniqueItems, which is kept to only where items have a const, an enum, or the type boolean");
    }
    this.#visit(items, [...path, "items"], depth + 1); // for what it refuses
    const fault = findDistinctFault(values, least, most);
    if (fault) throw this.#refuse(path, fault);
    return addDistinct(values, least, most, this.book);
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
    if (unlisted.length && extra === false)
      throw this.#refuse([...path, "required"], `names ${describe(unlisted[0])}, which is not among the properties`);
    const all = { ...properties, ...Object.fromEntries(unlisted.map((name) => [name, extra])) };
    const names = Object.keys(all);
    const pairs = names.map((name) => {
      const value = this.#visit(all[name], [...path, "properties", name], depth + 1);
      return { text: `${writeLiteral(`${JSON.stringify(name)}:`)} space ${value}`, needed: required.includes(name) };
    });
    const limits = this.#readPropertyLimits(schema, names.length, new Set(required).size, extra !== false, path);
    const other =
      extra === false ? null : this.#addOther(names, this.#visit(extra, [...path, "additionalProperties"], depth + 1));
    if (!names.length) return this.book.add("object", writeMap(other, limits));
    return this.book.add("object", `"{" ${this.#addPairs(pairs, other)} "}"`);
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
    const least = readCount(schema, "minProperties", this.#refuseIn(path)) ?? 0;
    const most = readCount(schema, "maxProperties", this.#refuseIn(path)) ?? Infinity;
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
      head = needed ? first : this.book.add("head", `${first} | ${head}`);
      tail = this.book.add("tail", needed ? `"," space ${first}` : `"," space ${first} | ${tail}`);
    }
    return head;
  }

  /**
   * @param {readonly string[]} names  that it must not have
   * @param {string} value
   * @returns {string} the rule of a pair
   */
  #addOther(names, value) {
    const key = names.length
      ? `"\\"" ${this.book.addOtherName(names.filter(isPlain).map((name) => [...name]))}`
      : "string";
    return this.book.add("other", `${key} ":" space ${value}`);
  }

  /**
   * @param {string[]} path
   * @returns {import("./grammar-strings.js").Refuse}
   */
  #refuseIn(path) {
    return (keys, what) => this.#refuse([...path, ...keys], what);
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
 * @param {RuleBook} [book]  of a grammar that has more than this in it
 * @returns {{rules: Map<string, string>, root: string}} the rules by name, and the name of the first
 */
export function makeSchemaRules(schema, param, book = new RuleBook()) {
  const grammar = new SchemaGrammar(schema, param, book);
  const root = grammar.write();
  return { rules: book.rules, root };
}

/**
 * @param {ReturnType<typeof makeSchemaRules>} grammar
 * @returns {string} in the engine's notation
 */
export function printGrammar({ rules, root }) {
  return [["root", root], ...rules].map(([name, body]) => `${name} ::= ${body}\n`).join("");
}

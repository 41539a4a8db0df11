/** One input of the graph: its sizes, and what it is filled with. */

import { arrayTypeOf, countElements } from "./kit/tensors.js";
import { make } from "./kit/ui/dom.js";
import { formatCount } from "./kit/ui/format.js";
import { ArrayProblem, checkArray, parseJson, parseNpy } from "./arrays.js";
import { makeCardHead } from "./card.js";
import { describeRandom, fillRandom, fillWith } from "./fill.js";
import { fitsShape, formatShape, startShape } from "./shapes.js";
import { formatFirst } from "./statistics.js";
import { toTensor } from "./values.js";

/** @typedef {import("./kit/tensors.js").Tensor} Tensor */
/** @typedef {import("./kit/types.js").TensorSpec} TensorSpec */
/** @typedef {"random" | "zeros" | "ones" | "array" | "golden"} Fill */

/** @type {[fill: Fill, words: string][]} */
const FILLS = [["random", "Random"], ["zeros", "Zeros"], ["ones", "Ones"], ["array", "Array"], ["golden", "Golden"]];
const SHOWN_FIRST = 6;
/** Past this a tensor hardly fits into a browser's memory twice. */
const MOST_ELEMENTS = 2 ** 28;

/** A card that gives a tensor. */
export class InputCard {
  /** @type {Tensor | null} */
  #golden = null;
  /** @type {import("./arrays.js").GivenArray | null} */
  #given = null;
  /** @type {Tensor | null} made when first asked for, until something changes */
  #made = null;
  /** @type {HTMLInputElement[]} */
  #sizes = [];
  /** @type {Record<string, HTMLInputElement>} */
  #choices = {};
  #seed = make("input", { type: "number", class: "field number", value: 1, min: 0, step: 1, "aria-label": "Seed" });
  #text = make("textarea", {
    class: "field number", rows: 4, spellcheck: "false", placeholder: "[[0.5, 1], [2, 3]]", "aria-label": "Array as JSON",
  });
  #file = make("input", { type: "file", class: "only-spoken", accept: ".json,.npy,.txt" });
  #problem = make("p", { class: "problem", role: "alert" });
  #preview = make("p", { class: "preview number" });
  #option = make("div", { class: "fill-option" });

  /**
   * @param {TensorSpec} spec
   * @param {number[] | undefined} preferred sizes to start with
   * @param {(dimension: string, before: number, size: number) => void} onSize called when a named size was edited
   */
  constructor(spec, preferred, onSize) {
    this.spec = spec;
    this.element = make("section", { class: "card input", "aria-label": `Input ${spec.name}` });
    this.element.append(
      makeCardHead(spec.name, spec.dtype),
      this.#makeSizes(startShape(spec.shape, preferred), onSize),
      this.#makeChoices(),
      this.#option,
      this.#preview,
      this.#problem,
    );
    this.#seed.addEventListener("input", () => this.#change());
    this.#text.addEventListener("input", () => this.#take(() => parseJson(this.#text.value)));
    this.#file.addEventListener("change", () => void this.#load());
    this.#choose("random");
  }

  /** @returns {number[]} */
  get shape() {
    return this.#sizes.map(({ value }) => Number(value));
  }

  /** @returns {Tensor} Throws ArrayProblem. */
  read() {
    return this.#make();
  }

  /** @returns {boolean} whether it holds exactly the golden tensor */
  get isGolden() {
    return this.#fill === "golden";
  }

  /** @param {Tensor} tensor from a golden sample */
  useGolden(tensor) {
    this.#golden = tensor;
    this.#setSizes(tensor.shape);
    this.#choices.golden.closest("label")?.removeAttribute("hidden");
    this.#choose("golden");
  }

  /** Go back from a golden sample to made-up numbers. */
  useOwn() {
    if (this.isGolden) this.#choose("random");
  }

  /**
   * Follow an edit of the same named size elsewhere.
   *
   * @param {string} dimension
   * @param {number} before only sizes that were equal stay equal
   * @param {number} size
   */
  follow(dimension, before, size) {
    this.spec.shape.forEach((name, axis) => {
      if (name === dimension && Number(this.#sizes[axis].value) === before) this.#sizes[axis].value = String(size);
    });
    this.#leaveGolden();
    this.#change();
  }

  /** @returns {Fill} */
  get #fill() {
    return FILLS.find(([fill]) => this.#choices[fill].checked)?.[0] ?? "random";
  }

  /**
   * @param {number[]} start
   * @param {(dimension: string, before: number, size: number) => void} onSize
   * @returns {HTMLElement}
   */
  #makeSizes(start, onSize) {
    const fields = this.spec.shape.map((size, axis) => {
      const field = make("input", { type: "number", class: "field number", min: 0, step: 1, required: true, value: start[axis] });
      const name = typeof size === "string" ? size || `axis ${axis}` : "";
      field.setAttribute("aria-label", name || `axis ${axis}, fixed`);
      field.readOnly = name === "";
      let before = start[axis];
      field.addEventListener("focus", () => (before = Number(field.value)));
      field.addEventListener("input", () => {
        this.#leaveGolden();
        this.#change();
        if (!field.validity.valid || !size) return;
        onSize(String(size), before, Number(field.value));
        before = Number(field.value);
      });
      this.#sizes.push(field);
      return make("label", { class: "size" }, make("span", { "aria-hidden": "true" }, name || "fixed"), field);
    });
    if (fields.length === 0) return make("p", { class: "quiet" }, "A scalar: one number, no sizes.");
    return make("div", { class: "sizes", role: "group", "aria-label": "Sizes" }, ...fields);
  }

  /** @returns {HTMLElement} */
  #makeChoices() {
    const labels = FILLS.map(([fill, words]) => {
      const radio = make("input", { type: "radio", name: `fill-${this.spec.name}`, value: fill, class: "only-spoken" });
      radio.addEventListener("change", () => this.#choose(fill));
      this.#choices[fill] = radio;
      return make("label", { class: "choice", hidden: fill === "golden" }, radio, make("span", {}, words));
    });
    return make("div", { class: "segmented", role: "radiogroup", "aria-label": "Filled with" }, ...labels);
  }

  /** @param {Fill} fill */
  #choose(fill) {
    this.#choices[fill].checked = true;
    const load = make("label", { class: "button button-quiet" }, "Load .json or .npy", this.#file);
    /** @type {Record<Fill, (Node | string)[]>} */
    const options = {
      random: [make("label", { class: "seed" }, "Seed", this.#seed), make("span", { class: "quiet" }, describeRandom(this.spec.dtype))],
      zeros: [],
      ones: [],
      array: [this.#text, load],
      golden: [make("span", { class: "quiet" }, "A recorded input of the original model.")],
    };
    this.#option.replaceChildren(...options[fill]);
    if (fill === "golden" && this.#golden) this.#setSizes(this.#golden.shape);
    this.#change();
  }

  #leaveGolden() {
    if (this.#golden && this.isGolden && this.#golden.shape.join() !== this.shape.join()) this.#choose("random");
  }

  /** @param {number[]} shape */
  #setSizes(shape) {
    this.#sizes.forEach((field, axis) => (field.value = String(shape[axis])));
  }

  /** @param {() => import("./arrays.js").GivenArray} parse */
  #take(parse) {
    try {
      this.#given = parse();
      // An array that says its own shape sets the sizes, where the graph allows them.
      if (fitsShape(this.spec.shape, this.#given.shape)) this.#setSizes(this.#given.shape);
      this.#change();
    } catch (error) {
      this.#given = null;
      this.#show(error);
    }
  }

  async #load() {
    const file = this.#file.files?.[0];
    this.#file.value = "";
    if (!file) return;
    const buffer = await file.arrayBuffer();
    this.#text.value = "";
    this.#text.placeholder = file.name;
    this.#take(() => (file.name.endsWith(".npy") ? parseNpy(buffer) : parseJson(new TextDecoder().decode(buffer))));
  }

  #change() {
    this.#made = null;
    try {
      const tensor = this.#make();
      this.#problem.textContent = "";
      const count = formatCount(tensor.data.length, "number");
      this.#preview.replaceChildren(make("span", {}, formatFirst(tensor, SHOWN_FIRST)), make("span", { class: "quiet" }, count));
    } catch (error) {
      this.#show(error);
    }
  }

  /** @param {unknown} error */
  #show(error) {
    if (!(error instanceof ArrayProblem)) throw error;
    this.#made = null;
    this.#preview.replaceChildren();
    this.#problem.textContent = error.message;
  }

  /** @returns {Tensor} */
  #make() {
    this.#made ??= this.#makeAnew();
    return this.#made;
  }

  /** @returns {Tensor} */
  #makeAnew() {
    const { dtype } = this.spec;
    const odd = this.#sizes.find(({ validity }) => !validity.valid);
    if (odd) throw new ArrayProblem(`${odd.getAttribute("aria-label")}: give a whole number from 0 up.`);
    const { shape } = this;
    const count = countElements(shape);
    if (count > MOST_ELEMENTS) throw new ArrayProblem(`${formatShape(shape)} is ${formatCount(count, "number")}, too many for a page.`);
    arrayTypeOf(dtype);
    if (this.#fill === "zeros") return fillWith(dtype, shape, 0);
    if (this.#fill === "ones") return fillWith(dtype, shape, 1);
    if (this.#fill === "golden" && this.#golden) return this.#golden;
    if (this.#fill !== "array") return fillRandom(dtype, shape, Number(this.#seed.value));
    this.#given ??= parseJson(this.#text.value);
    checkArray(this.#given, dtype, shape);
    return toTensor(dtype, shape, this.#given.values);
  }
}

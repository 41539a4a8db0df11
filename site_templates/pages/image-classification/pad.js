/** The drawing pad: mouse, finger or pen make strokes; each change is painted twice, for the eye and for the model. */

import { dipPen, PAD_SIZE, paintDot, paintEnd, paintMark, paintSegment, pointAt } from "./ink.js";

/** @typedef {import("./ink.js").Mark} Mark */
/** @typedef {import("./ink.js").Stroke} Stroke */

/** Points closer than this, in pad units, only make a line tremble. */
const SMALLEST_STEP = 0.8;

/** A sheet of black paper that gives the pixels the model sees, and a sharper one on the screen. */
export class Pad {
  /** @type {Mark[][]} what lay on the pad before each change, oldest first */
  #history = [];
  /** @type {Mark[]} */
  #marks = [];
  /** @type {Stroke | null} */
  #stroke = null;
  /** @type {number | null} the pointer that draws; a second finger does not */
  #pointer = null;
  #canvas;
  #screen;
  #paper;
  #onChange;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} onChange called after every change of the ink
   */
  constructor(canvas, onChange) {
    this.#canvas = canvas;
    this.#onChange = onChange;
    const paper = document.createElement("canvas");
    paper.width = PAD_SIZE;
    paper.height = PAD_SIZE;
    this.#screen = openContext(canvas, false);
    this.#paper = openContext(paper, true);
    this.#repaint();
    this.#listen();
    new ResizeObserver(() => this.#fit()).observe(canvas);
  }

  /** @returns {boolean} */
  get isEmpty() {
    return this.#marks.length === 0;
  }

  /** @returns {boolean} whether there is a change to take back */
  get canUndo() {
    return this.#history.length > 0;
  }

  /** @returns {ImageData} PAD_SIZE a side, white ink on black */
  readImage() {
    return this.#paper.getImageData(0, 0, PAD_SIZE, PAD_SIZE);
  }

  /** Take all ink away; `undo` brings it back. */
  clear() {
    if (!this.isEmpty) this.#change([]);
  }

  /** Take back the last change. */
  undo() {
    this.#stroke = null;
    this.#marks = this.#history.pop() ?? [];
    this.#repaint();
    this.#onChange();
  }

  /**
   * Replace what lies on the pad by a picture, which the caller may go on painting.
   *
   * @param {HTMLCanvasElement} picture
   */
  place(picture) {
    this.#change([{ kind: "picture", picture }]);
  }

  /** Show what the caller painted on a placed picture since. */
  refresh() {
    this.#repaint();
    this.#onChange();
  }

  /**
   * @param {HTMLCanvasElement} picture
   * @returns {boolean} whether it is still all that lies on the pad
   */
  holds(picture) {
    const [mark] = this.#marks;
    return this.#marks.length === 1 && mark.kind === "picture" && mark.picture === picture;
  }

  /** @param {Mark[]} marks */
  #change(marks) {
    this.#history.push(this.#marks);
    this.#marks = marks;
    this.#repaint();
    this.#onChange();
  }

  #listen() {
    this.#canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.#canvas.addEventListener("pointerup", (event) => this.#end(event));
    this.#canvas.addEventListener("pointercancel", (event) => this.#end(event));
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    const point = pointAt(event, this.#canvas.getBoundingClientRect());
    this.#stroke = { kind: "stroke", points: [point] };
    this.#history.push(this.#marks);
    this.#marks = [...this.#marks, this.#stroke];
    this.#paint((context) => paintDot(context, point));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const stroke = this.#stroke;
    if (event.pointerId !== this.#pointer || !stroke) return;
    const box = this.#canvas.getBoundingClientRect();
    const coalesced = event.getCoalescedEvents?.() ?? [];
    const first = stroke.points.length;
    for (const each of coalesced.length > 0 ? coalesced : [event]) {
      const point = pointAt(each, box);
      const before = stroke.points[stroke.points.length - 1];
      if (Math.hypot(point.x - before.x, point.y - before.y) >= SMALLEST_STEP) stroke.points.push(point);
    }
    if (stroke.points.length === first) return;
    this.#paint((context) => {
      for (let index = first; index < stroke.points.length; index += 1) paintSegment(context, stroke.points, index);
    });
  }

  /** @param {PointerEvent} event */
  #end(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    const stroke = this.#stroke;
    this.#stroke = null;
    if (stroke) this.#paint((context) => paintEnd(context, stroke.points));
  }

  /** @param {(context: CanvasRenderingContext2D) => void} brush */
  #paint(brush) {
    brush(this.#screen);
    brush(this.#paper);
    this.#onChange();
  }

  /** Give the screen one canvas pixel per device pixel, so that ink has sharp edges at any zoom. */
  #fit() {
    const side = Math.max(1, Math.round(this.#canvas.clientWidth * devicePixelRatio));
    if (this.#canvas.width === side && this.#canvas.height === side) return;
    this.#canvas.width = side;
    this.#canvas.height = side;
    this.#repaint();
  }

  #repaint() {
    this.#screen.setTransform(this.#canvas.width / PAD_SIZE, 0, 0, this.#canvas.height / PAD_SIZE, 0, 0);
    for (const context of [this.#screen, this.#paper]) {
      context.fillStyle = "#000";
      context.fillRect(0, 0, PAD_SIZE, PAD_SIZE);
      dipPen(context);
      for (const mark of this.#marks) paintMark(context, mark);
    }
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} isRead whether its pixels are read again and again
 * @returns {CanvasRenderingContext2D}
 */
function openContext(canvas, isRead) {
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: isRead });
  if (!context) throw new Error("This browser gives no 2D canvas to draw on.");
  return context;
}

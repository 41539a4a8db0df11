/** Ink: marks on the pad, painted the same way on the screen and on the picture that the model gets. */

/** Side of the pad in its own units; the model's picture has that many pixels a side. */
export const PAD_SIZE = 280;

const PEN_WIDTH = 20;

/** @typedef {{x: number, y: number, width: number}} Point in pad units */
/** @typedef {{kind: "stroke", points: Point[]}} Stroke */
/** @typedef {{kind: "picture", picture: HTMLCanvasElement}} Picture a sample, PAD_SIZE a side, ink on nothing */
/** @typedef {Stroke | Picture} Mark */

/**
 * A mouse reports pressure 0.5 and a finger what it likes, so only a pen's pressure counts.
 *
 * @param {PointerEvent} event
 * @param {DOMRect} box of the pad on the screen
 * @returns {Point}
 */
export function pointAt(event, box) {
  const scale = PAD_SIZE / box.width;
  const pressure = event.pointerType === "pen" && event.pressure > 0 ? 0.55 + 0.9 * event.pressure : 1;
  return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale, width: PEN_WIDTH * pressure };
}

/**
 * @param {CanvasRenderingContext2D} context in pad units
 * @param {Mark} mark
 */
export function paintMark(context, mark) {
  if (mark.kind === "picture") {
    context.drawImage(mark.picture, 0, 0, PAD_SIZE, PAD_SIZE);
    return;
  }
  paintDot(context, mark.points[0]);
  for (let index = 1; index < mark.points.length; index += 1) paintSegment(context, mark.points, index);
  paintEnd(context, mark.points);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point} point
 */
export function paintDot(context, point) {
  context.beginPath();
  context.arc(point.x, point.y, point.width / 2, 0, 2 * Math.PI);
  context.fill();
}

/**
 * The curve around the point before `index`: between the middles of its two neighbouring legs, so that
 * segments meet with one tangent however far apart the points came in.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 * @param {number} index of the newest point, at least 1
 */
export function paintSegment(context, points, index) {
  const last = points[index];
  const corner = points[index - 1];
  const start = index === 1 ? corner : middle(points[index - 2], corner);
  const end = middle(corner, last);
  context.lineWidth = (start.width + end.width) / 2;
  context.beginPath();
  context.moveTo(start.x, start.y);
  context.quadraticCurveTo(corner.x, corner.y, end.x, end.y);
  context.stroke();
}

/**
 * The half leg that `paintSegment` leaves to the newest point.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Point[]} points
 */
export function paintEnd(context, points) {
  const last = points[points.length - 1];
  const start = points.length > 1 ? middle(points[points.length - 2], last) : last;
  context.lineWidth = last.width;
  context.beginPath();
  context.moveTo(start.x, start.y);
  context.lineTo(last.x, last.y);
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context */
export function dipPen(context) {
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = "#fff";
  context.fillStyle = "#fff";
}

/**
 * @param {Point} a
 * @param {Point} b
 * @returns {Point}
 */
function middle(a, b) {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, width: (a.width + b.width) / 2 };
}

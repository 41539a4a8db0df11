/**
 * The messages between the page and its worker. Requests have ids; between result and error come progress (while a
 * pair loads), pulse (the GPU is being given work, or has finished some), piece (a part of an answer that comes bit by
 * bit) and lost (the browser took the GPU away). `cancel` names the request that is to end early; it has no answer of
 * its own.
 *
 * @typedef {"probe" | "start" | "run" | "golden" | "stats" | "generate" | "embed" | "count" | "countPrompt"} Method
 * @typedef {{id: number, method: Method, params: unknown}} Request
 * @typedef {{id: number, method: "cancel"}} Cancel
 * @typedef {{done: number, total: number}} Count
 * @typedef {{call: import("./types.js").CallPiece}} Call
 * @typedef {{start: import("./types.js").GenerationStart} | {text: string} | Call | {preparing: true} | Count} Piece
 *
 * @typedef {{kind: "result", id: number, result: unknown}} ResultMessage
 * @typedef {{kind: "error", id: number, error: import("./errors.js").PortableError}} ErrorMessage
 * @typedef {{kind: "progress", progress: import("./types.js").Progress}} ProgressMessage
 * @typedef {{kind: "pulse"}} PulseMessage
 * @typedef {{kind: "piece", id: number, piece: Piece}} PieceMessage
 * @typedef {{kind: "lost", reason: string}} LostMessage
 * @typedef {ResultMessage | ErrorMessage | ProgressMessage | PulseMessage | PieceMessage | LostMessage} WorkerMessage
 */

export {};

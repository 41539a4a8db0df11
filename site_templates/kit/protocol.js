/**
 * The messages between the page and its worker. Requests have ids; between result and error come progress (while a
 * pair loads), pulse (the GPU is being given work, or has finished some) and lost (the browser took the GPU away).
 *
 * @typedef {"probe" | "start" | "run" | "golden" | "stats"} Method
 * @typedef {{id: number, method: Method, params: unknown}} Request
 *
 * @typedef {{kind: "result", id: number, result: unknown}} ResultMessage
 * @typedef {{kind: "error", id: number, error: import("./errors.js").PortableError}} ErrorMessage
 * @typedef {{kind: "progress", progress: import("./types.js").Progress}} ProgressMessage
 * @typedef {{kind: "pulse"}} PulseMessage
 * @typedef {{kind: "lost", reason: string}} LostMessage
 * @typedef {ResultMessage | ErrorMessage | ProgressMessage | PulseMessage | LostMessage} WorkerMessage
 */

export {};

/**
 * The shapes that the chat page's modules share.
 *
 * @typedef {"stop" | "length" | "full" | "stopped" | "failed"} Ending  how an answer ended: of itself, at the longest
 *   length asked for, with the context full, by the visitor, by an error
 *
 * @typedef {object} Figures  what one answer took
 * @property {number} tokensPerSecond
 * @property {number} firstTokenMs
 * @property {number} promptTokens
 * @property {number} completionTokens
 * @property {number} contextLength  0 when it is not known
 *
 * @typedef {object} Message
 * @property {"user" | "assistant"} role
 * @property {string} content
 * @property {Ending} [ending]  of an answer
 * @property {string} [problem]  what went wrong, in words, when it failed
 * @property {Figures} [figures]
 *
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} name  "" until it has one: then it is called after its first message
 * @property {number} updatedMs
 * @property {string} system
 * @property {number} leftOut  how many of the oldest messages the model no longer gets, because the context was full
 * @property {Message[]} messages
 *
 * @typedef {Record<string, number>} Sampling  what the visitor changed; the rest is the model's own
 *
 * @typedef {{role: "system" | "user" | "assistant", content: string}} ChatMessage
 */

export {};

/** What the language model is told. It is small: a few sentences to repeat from, and nothing that could lead it astray. */

/** @typedef {import("./quotes.js").Quote} Quote */

const system = "Answer the question in one or two short sentences, only with the words of the text.";

/**
 * @param {string} question
 * @param {readonly Quote[]} quotes  best first
 * @returns {{role: "system" | "user", content: string}[]}
 */
export function makeMessages(question, quotes) {
  const inOrder = [...quotes].sort((a, b) => a.passage - b.passage || a.start - b.start);
  const text = inOrder.map(({ text: words }) => words).join(" ");
  return [
    { role: "system", content: system },
    { role: "user", content: `Text: ${text}\n\nQuestion: ${question}` },
  ];
}

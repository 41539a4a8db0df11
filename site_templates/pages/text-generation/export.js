/** A chat as a file: Markdown for people, JSON for programs. */

import { find, make } from "./kit/ui/dom.js";
import { nameOf } from "./conversations.js";

/** @typedef {import("./chat-types.js").Conversation} Conversation */

/**
 * @param {Conversation} conversation
 * @param {string} model its title
 * @returns {string}
 */
export function writeMarkdown(conversation, model) {
  const date = new Date(conversation.updatedMs).toISOString().slice(0, 10);
  const parts = [`# ${nameOf(conversation)}`, `${model}, ${date}`];
  if (conversation.system) parts.push("## System prompt", conversation.system);
  for (const { role, content, problem } of conversation.messages) {
    parts.push(role === "user" ? "## You" : `## ${model}`, content || `*${problem || "No answer."}*`);
  }
  return `${parts.join("\n\n")}\n`;
}

/**
 * @param {Conversation} conversation
 * @param {string} model its title
 * @returns {string} with `messages` as chat APIs take them
 */
export function writeJson(conversation, model) {
  const { system, messages, updatedMs } = conversation;
  const spoken = messages.filter(({ content }) => content).map(({ role, content }) => ({ role, content }));
  const all = system ? [{ role: "system", content: system }, ...spoken] : spoken;
  const chat = { name: nameOf(conversation), model, updated: new Date(updatedMs).toISOString(), messages: all };
  return `${JSON.stringify(chat, null, 2)}\n`;
}

/**
 * @param {Conversation} conversation
 * @param {"markdown" | "json"} kind
 * @param {string} model
 */
export function downloadChat(conversation, kind, model) {
  const isJson = kind === "json";
  const text = isJson ? writeJson(conversation, model) : writeMarkdown(conversation, model);
  const address = URL.createObjectURL(new Blob([text], { type: isJson ? "application/json" : "text/markdown" }));
  const link = make("a", { href: address, download: `${asFileName(nameOf(conversation))}.${isJson ? "json" : "md"}` });
  link.click();
  // The browser reads the address a little later.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** @param {(kind: "markdown" | "json") => void} choose */
export function openExportMenu(choose) {
  const menu = find("#export", HTMLElement);
  menu.addEventListener("toggle", () => {
    // In the top layer nothing but the window is there to be placed against.
    const { bottom, right } = find("#export-open", HTMLElement).getBoundingClientRect();
    menu.style.inset = `${bottom + 4}px ${document.documentElement.clientWidth - right}px auto auto`;
  });
  menu.addEventListener("click", ({ target }) => {
    const button = target instanceof Element && target.closest("[data-export]");
    const kind = button && button.getAttribute("data-export");
    if (kind !== "markdown" && kind !== "json") return;
    choose(kind);
    menu.hidePopover();
  });
}

/** @param {string} name @returns {string} */
function asFileName(name) {
  return name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").toLowerCase() || "chat";
}

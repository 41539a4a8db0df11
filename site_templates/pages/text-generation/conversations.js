/** Chats kept in this browser and nowhere else: one entry of localStorage for each, and one that lists them. */

/** @typedef {import("./chat-types.js").Conversation} Conversation */
/** @typedef {import("./chat-types.js").Message} Message */
/** @typedef {{id: string, name: string, updatedMs: number}} Entry */

const LONGEST_NAME = 60;

/** @returns {Storage | null} null where the browser keeps nothing for this page */
export function openStorage() {
  try {
    const probe = "webgpu-kit/probe";
    localStorage.setItem(probe, "");
    localStorage.removeItem(probe);
    return localStorage;
  } catch (error) {
    // A full storage can still be read, and chats in it deleted.
    return isFull(error) ? localStorage : null;
  }
}

/**
 * @param {string} system
 * @returns {Conversation}
 */
export function makeConversation(system) {
  // Not randomUUID: it is missing where the page is served without TLS.
  const id = Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("");
  return { id, name: "", updatedMs: Date.now(), system, leftOut: 0, messages: [] };
}

/** @param {Conversation} conversation @returns {string} its own name, or the beginning of its first message */
export function nameOf({ name, messages }) {
  if (name || messages.length === 0) return name || "New chat";
  const [line] = messages[0].content.trim().split("\n", 1);
  const letters = Array.from(line.slice(0, 4 * LONGEST_NAME));
  return letters.length > LONGEST_NAME ? `${letters.slice(0, LONGEST_NAME - 1).join("").trimEnd()}…` : line;
}

/** The chats of one model's page. */
export class ConversationStore {
  /** @type {"" | "blocked" | "full"} why the last chat was not kept */
  problem = "";
  /** @type {Map<string, string>} what this page wrote last, by key */
  #written = new Map();
  #storage;
  #prefix;

  /**
   * @param {Pick<Storage, "getItem" | "setItem" | "removeItem"> | null} storage
   * @param {string} model its name: pages on the same host share one storage
   */
  constructor(storage, model) {
    this.#storage = storage;
    this.#prefix = `webgpu-kit/chat/${model}/`;
    if (!storage) this.problem = "blocked";
  }

  /** @returns {Entry[]} newest first */
  list() {
    const entries = this.readValue("chats");
    if (!Array.isArray(entries)) return [];
    return entries.filter(isEntry).sort((a, b) => b.updatedMs - a.updatedMs);
  }

  /** @param {string} id @returns {Conversation | null} null when it is gone, or is nothing that this page wrote */
  read(id) {
    const found = this.readValue(`chats/${id}`);
    return isConversation(found) ? found : null;
  }

  /** @param {Conversation} conversation @returns {boolean} false when it could not be kept: `problem` says why */
  write(conversation) {
    const { id, updatedMs } = conversation;
    const others = this.list().filter((entry) => entry.id !== id);
    const entry = { id, name: nameOf(conversation), updatedMs };
    return this.writeValue(`chats/${id}`, conversation) && this.writeValue("chats", [entry, ...others]);
  }

  /** @param {string} id */
  delete(id) {
    this.#storage?.removeItem(`${this.#prefix}chats/${id}`);
    this.writeValue("chats", this.list().filter((entry) => entry.id !== id));
  }

  /** @param {string | null} key of a storage event; null means that everything was cleared @returns {boolean} */
  owns(key) {
    return key === null || key.startsWith(this.#prefix);
  }

  /** @param {string | null} key of a storage event @param {string} id @returns {boolean} whether it is about this chat */
  isOf(key, id) {
    return key === `${this.#prefix}chats/${id}`;
  }

  /**
   * Two tabs write without waiting for one another: what another wrote at the same moment as this one, and this one wrote
   * over, is brought back, a chat as one of its own, an entry of the list where it was.
   *
   * @param {string | null} key of a storage event @param {string | null} value what the other tab wrote
   * @param {string} id of the chat that is open here
   */
  mend(key, value, id) {
    const mine = this.#written.get(key ?? "");
    const theirs = parse(value);
    if (key && mine && mine !== value && this.#storage?.getItem(key) === mine && isConversation(theirs)) {
      this.write({ ...theirs, id: makeConversation("").id });
    }
    const open = this.read(id);
    if (open && !this.list().some((entry) => entry.id === id)) this.write(open);
  }

  /** @param {string} key @returns {unknown} null when there is nothing, or nothing that can be read */
  readValue(key) {
    return parse(this.#storage?.getItem(this.#prefix + key) ?? null);
  }

  /** @param {string} key @param {unknown} value @returns {boolean} */
  writeValue(key, value) {
    if (!this.#storage) return false;
    const text = JSON.stringify(value);
    try {
      this.#storage.setItem(this.#prefix + key, text);
      this.#written.set(this.#prefix + key, text);
      this.problem = "";
    } catch (error) {
      this.problem = isFull(error) ? "full" : "blocked";
    }
    return this.problem === "";
  }
}

/** @param {string | null} text @returns {unknown} null when it is nothing that can be read */
function parse(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** @param {unknown} error @returns {boolean} */
function isFull(error) {
  return error instanceof DOMException && /quota/i.test(error.name);
}

/** @param {any} value @returns {value is Entry} */
function isEntry(value) {
  return typeof value?.id === "string" && typeof value.name === "string" && typeof value.updatedMs === "number";
}

/** @param {any} value @returns {value is Conversation} */
function isConversation(value) {
  const { system, leftOut, messages } = value ?? {};
  if (!isEntry(value) || typeof system !== "string" || typeof leftOut !== "number") return false;
  return Array.isArray(messages) && messages.every(isMessage);
}

/** @param {any} value @returns {value is Message} */
function isMessage(value) {
  return (value?.role === "user" || value?.role === "assistant") && typeof value.content === "string";
}

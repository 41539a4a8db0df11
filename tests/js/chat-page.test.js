/** The parts of the chat page that need no browser: what is kept of chats, and what the model is sent of them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConversationStore, makeConversation, nameOf } from "../../site_templates/pages/text-generation/conversations.js";
import { generateAnswer, isContextFull, listMessages } from "../../site_templates/pages/text-generation/generation.js";
import { findRoom } from "../../site_templates/pages/text-generation/room.js";

/** @typedef {import("../../site_templates/pages/text-generation/chat-types.js").Message} Message */

/** A storage with room for so many characters. @param {number} [room] */
function makeStorage(room = Infinity) {
  /** @type {Map<string, string>} */
  const values = new Map();
  return {
    values,
    getItem: (/** @type {string} */ key) => values.get(key) ?? null,
    removeItem: (/** @type {string} */ key) => void values.delete(key),
    setItem(/** @type {string} */ key, /** @type {string} */ value) {
      const taken = [...values].reduce((sum, [name, text]) => sum + (name === key ? 0 : text.length), 0);
      if (taken + value.length > room) throw new DOMException("No room.", "QuotaExceededError");
      values.set(key, value);
    },
  };
}

/** @param {string} system @param {...string} contents questions and answers in turn */
function makeChat(system, ...contents) {
  /** @type {Message[]} */
  const messages = contents.map((content, index) => ({ role: index % 2 ? "assistant" : "user", content }));
  return { ...makeConversation(system), messages };
}

test("a chat comes back as it was written, newest first in the list", () => {
  const store = new ConversationStore(makeStorage(), "tiny");
  const older = { ...makeChat("Be brief.", "Hello", "Hi"), updatedMs: 1 };
  const newer = { ...makeChat("", "Second"), updatedMs: 2 };
  assert.ok(store.write(older) && store.write(newer));
  assert.deepEqual(store.read(older.id), older);
  assert.deepEqual(store.list().map(({ name }) => name), ["Second", "Hello"]);
  store.delete(newer.id);
  assert.equal(store.read(newer.id), null);
  assert.deepEqual(store.list().map(({ id }) => id), [older.id]);
});

test("two models on one host keep their chats apart", () => {
  const storage = makeStorage();
  new ConversationStore(storage, "one").write(makeChat("", "Hello"));
  assert.deepEqual(new ConversationStore(storage, "two").list(), []);
});

test("what two tabs write at the same moment is kept of both", () => {
  const storage = makeStorage();
  const [here, there] = [new ConversationStore(storage, "tiny"), new ConversationStore(storage, "tiny")];
  const chat = makeChat("", "Hello");
  here.write(chat);
  const key = `webgpu-kit/chat/tiny/chats/${chat.id}`;
  there.write({ ...chat, name: "Theirs" });
  const theirs = storage.getItem(key);
  here.mend(key, theirs, chat.id);
  assert.deepEqual(here.list().map(({ name }) => name), ["Theirs"], "theirs came last: that is the chat");
  here.write({ ...chat, name: "Ours" });
  here.mend(key, theirs, chat.id);
  assert.deepEqual(here.list().map(({ name }) => name).sort(), ["Ours", "Theirs"]);
  assert.equal(here.read(chat.id)?.name, "Ours");
  // The list went the same way: the other tab did not know yet of this one's chat.
  storage.setItem("webgpu-kit/chat/tiny/chats", "[]");
  here.mend("webgpu-kit/chat/tiny/chats", "[]", chat.id);
  assert.deepEqual(here.list().map(({ id }) => id), [chat.id]);
});

test("a full storage is told, and so is one that is not there", () => {
  const store = new ConversationStore(makeStorage(400), "tiny");
  assert.ok(store.write(makeChat("", "short")));
  assert.equal(store.write(makeChat("", "x".repeat(400))), false);
  assert.equal(store.problem, "full");
  assert.equal(new ConversationStore(null, "tiny").problem, "blocked");
});

test("what this page did not write is no chat", () => {
  const storage = makeStorage();
  const store = new ConversationStore(storage, "tiny");
  const prefix = "webgpu-kit/chat/tiny/chats";
  storage.values.set(prefix, '[{"id": "a"}, {"id": "b", "name": "B", "updatedMs": 1}, null]');
  storage.values.set(`${prefix}/b`, '{"id": "b", "name": "B", "updatedMs": 1, "messages": [{"role": "root", "content": "x"}]}');
  assert.deepEqual(store.list().map(({ id }) => id), ["b"]);
  assert.equal(store.read("b"), null);
  storage.values.set(prefix, "{broken");
  assert.deepEqual(store.list(), []);
});

test("a chat is called after the first line of its first message, until it has a name", () => {
  assert.equal(nameOf(makeChat("")), "New chat");
  assert.equal(nameOf(makeChat("", "\nWhat is this?\nAnd that?")), "What is this?");
  assert.equal(nameOf({ ...makeChat("", "What?"), name: "Mine" }), "Mine");
  const long = nameOf(makeChat("", "😀".repeat(200)));
  assert.equal(Array.from(long).length, 60);
  assert.doesNotMatch(long, /\p{Surrogate}/u);
});

test("the model gets the system prompt, then turns that alternate", () => {
  const chat = makeChat("Be brief.", "One", "", "Two");
  assert.deepEqual(listMessages(chat), [
    { role: "system", content: "Be brief." },
    { role: "user", content: "One\n\nTwo" },
  ]);
  assert.deepEqual(listMessages({ ...makeChat(" ", "One", "1", "Two"), leftOut: 2 }), [{ role: "user", content: "Two" }]);
});

/** A model with so much context, whose tokens are characters. @param {number} context @param {object} [defaults] */
function makeCounter(context, defaults = {}) {
  let counts = 0;
  const settings = { generation: { context_length: context, defaults } };
  /** @param {{content: string}[]} messages */
  const countPromptTokens = async (messages) => {
    counts += 1;
    const tokens = messages.reduce((sum, { content }) => sum + content.length, 0);
    if (tokens >= context) throw Object.assign(new Error("Too long."), { code: "context-full" });
    return tokens;
  };
  return { model: /** @type {any} */ ({ manifest: { settings }, countPromptTokens }), counts: () => counts };
}

test("as many of the oldest questions go as it takes to make room for an answer, and the system prompt stays", async () => {
  const turns = Array.from({ length: 19 }, () => "x".repeat(50));
  const chat = makeChat("y".repeat(100), ...turns);
  const { model, counts } = makeCounter(1000);
  // 100 and 250 are kept for the system prompt and an answer: 650 are left for 13 messages of 50.
  assert.equal(await findRoom(model, chat, undefined), 6);
  assert.equal(await findRoom(model, chat, 40), 2, "a short answer needs less");
  assert.equal(await findRoom(makeCounter(1000, { max_tokens: 40 }).model, chat, undefined), 2);
  assert.ok(counts() < 10, "not one by one");
  assert.equal(await findRoom(model, { ...chat, leftOut: 10 }, 40), 12, "there was too little room before");
});

test("where nothing makes enough room, the last question is asked alone", async () => {
  const chat = makeChat("", "One", "1", "Two", "2", "x".repeat(990));
  assert.equal(await findRoom(makeCounter(1000).model, chat, undefined), 4);
  assert.equal(await findRoom(makeCounter(900).model, chat, undefined), 4);
  assert.equal(await findRoom(makeCounter(900).model, { ...chat, leftOut: 4 }, undefined), 4);
});

test("asking does not change the chat", () => {
  const chat = makeChat("", "One", "", "Two");
  const before = structuredClone(chat);
  listMessages(chat);
  assert.deepEqual(chat, before);
});

/**
 * @param {object[]} chunks
 * @param {object | null} timings of the whole answer
 * @param {unknown} [error] thrown after them
 * @returns {any} a model that answers so
 */
function makeModel(chunks, timings, error) {
  async function* stream() {
    yield* chunks;
    if (error) throw error;
  }
  const create = async () => Object.assign(stream(), { timings: Promise.resolve(timings) });
  return { chat: { completions: { create } } };
}

/** @param {number} promptTokens */
const makeTimings = (promptTokens) => ({
  ...{ promptTokens, cachedTokens: 1, completionTokens: 2, tokensPerSecond: 20, firstTokenMs: 100, contextLength: 64 },
});
const onRead = () => {};
const piece = { choices: [{ delta: { content: "Hi" }, finish_reason: null }] };

test("an answer ends of itself, at its limit, or with the context full", async () => {
  for (const [reason, prompt, ending] of /** @type {const} */ ([["stop", 10, "stop"], ["length", 10, "length"], ["length", 62, "full"]])) {
    let text = "";
    const options = { sampling: {}, signal: new AbortController().signal, onText: (/** @type {string} */ piece) => (text += piece), onRead };
    const end = { choices: [{ delta: {}, finish_reason: reason }] };
    const outcome = await generateAnswer(makeModel([piece, end], makeTimings(prompt)), makeChat("", "One"), options);
    assert.equal(outcome.ending, ending);
    assert.equal(outcome.figures?.completionTokens, 2);
    assert.equal(text, "Hi");
  }
});

test("a failure is an outcome, and an abort is no failure", async () => {
  const controller = new AbortController();
  const options = { sampling: {}, signal: controller.signal, onText: () => {}, onRead };
  const error = Object.assign(new Error("Too long."), { code: "context-full" });
  const failed = await generateAnswer(makeModel([], null, error), makeChat("", "One"), options);
  assert.equal(failed.ending, "failed");
  assert.ok(isContextFull(failed.error));
  controller.abort();
  const stopped = await generateAnswer(makeModel([], null, controller.signal.reason), makeChat("", "One"), options);
  assert.deepEqual([stopped.ending, stopped.figures, await stopped.lateFigures, stopped.error], ["stopped", null, null, null]);
});

test("an answer that was stopped tells its figures when the model has put it down", async () => {
  const controller = new AbortController();
  const options = { sampling: {}, signal: controller.signal, onText: () => controller.abort(), onRead };
  const stopped = await generateAnswer(makeModel([piece], makeTimings(10)), makeChat("", "One"), options);
  assert.deepEqual([stopped.ending, stopped.figures], ["stopped", null]);
  assert.equal((await stopped.lateFigures)?.tokensPerSecond, 20);
});

/** Text generation: a chat with a language model that runs in this browser. */

import { find } from "./kit/ui/dom.js";
import { formatCount } from "./kit/ui/format.js";
import { openShell } from "./kit/ui/shell.js";
import { drawChatList } from "./chat-list.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { drawContext } from "./context.js";
import { ConversationStore, makeConversation, nameOf, openStorage } from "./conversations.js";
import { downloadChat, openExportMenu } from "./export.js";
import { showFigures } from "./figures.js";
import { followNewest } from "./follow.js";
import { HAS_KEYS, describeKeys } from "./keys.js";
import { loadMarkdown } from "./markdown.js";
import { makeNotice } from "./notice.js";
import { Settings } from "./settings.js";
import { makeSpeaker } from "./speaker.js";
import { Thread } from "./thread.js";
import { watchKeyboard } from "./viewport.js";

/** @typedef {import("./kit/ui/shell.js").Model} Model */

const shell = openShell();
const { title } = shell.settings;
const nameField = find("#chat-name", HTMLInputElement);
const store = new ConversationStore(openStorage(), shell.settings.name ?? title);
const showNotice = makeNotice();
const jumpToNewest = followNewest(find("#log", HTMLElement), find("#log-inner", HTMLElement), find("#jump", HTMLButtonElement));
/** @type {Model | null} */
let model = null;

const settings = new Settings(store, shell.settings.system_prompt ?? "", (system) => chat.update({ system }));
const composer = new Composer({
  send(text) {
    jumpToNewest();
    chat.send(text);
  },
  stop: () => void chat.stop(),
  editLast: () => thread.editLast(),
});
const thread = new Thread(find("#messages", HTMLElement), title, {
  edit: (index, text) => void chat.edit(index, text),
  answer: () => void chat.answer(),
  offer({ ending }) {
    if (ending === "failed") return [["Try again", () => void chat.answer()]];
    if (ending !== "full") return [];
    const startNew = /** @type {import("./turn.js").Action} */ (["New chat", () => void chat.startNew()]);
    return chat.canLeaveOut ? [["Leave out the oldest messages", () => void chat.leaveOutOldest()], startNew] : [startNew];
  },
});
const showList = drawChatList({ open: openChat, remove: removeChat, startNew: () => void startNew() });

/** @type {(loaded: Model | null) => void} */
let announceModel;
const chat = new Chat(
  {
    store,
    thread,
    settings,
    model: new Promise((resolve) => (announceModel = resolve)),
    speaker: makeSpeaker(find("#spoken", HTMLElement)),
    onEvent: showEvent,
  },
  makeConversation(settings.system),
);

/** @param {import("./chat.js").ChatEvent} event */
function showEvent(event) {
  switch (event.kind) {
    case "changed":
      return showChat();
    case "waiting":
      setBusy(true);
      return composer.showNote(model ? "" : "Sent as soon as the model is ready.");
    case "reading":
      shell.showWork(event.share ? `Reading, ${Math.round(event.share * 100)}%` : "Reading");
      return composer.showNote(...describeKeys("stop"));
    case "answering":
      return shell.showWork("Answering");
    case "left out":
      return showNotice(`Left out to make room: ${nameOldest(event.questions)}, with what was answered.`);
    case "idle":
      setBusy(false);
      if (model) composer.showNote(...describeKeys("send"));
      if (event.error) return shell.noteFailure(event.error);
      return model ? shell.showWork("Ready") : undefined;
  }
}

/** @param {number} questions @returns {string} */
function nameOldest(questions) {
  return questions === 1 ? "the oldest question" : `the ${formatCount(questions, "oldest question")}`;
}

/** @param {boolean} isBusy */
function setBusy(isBusy) {
  composer.setBusy(isBusy);
  find(".chat", HTMLElement).toggleAttribute("data-busy", isBusy);
}

/** Without a model, chats can be read and no more. */
function closeChat() {
  composer.close();
  find(".chat", HTMLElement).toggleAttribute("data-closed", true);
}

function showChat() {
  const { conversation } = chat;
  const isEmpty = conversation.messages.length === 0;
  nameField.value = isEmpty ? "" : nameOf(conversation);
  document.title = isEmpty ? title : `${nameOf(conversation)} · ${title}`;
  find("#welcome", HTMLElement).hidden = !isEmpty;
  find("#export-open", HTMLButtonElement).disabled = isEmpty;
  drawContext(conversation.messages);
  showFigures(shell, model, conversation.messages);
  showList(store.list(), conversation.id);
  // So that a reload comes back to it.
  history.replaceState({ chat: isEmpty ? "" : conversation.id }, "");
  if (!isEmpty && store.problem) showNotice(describeStorage(store.problem));
}

/** @param {"blocked" | "full"} problem @returns {string} */
function describeStorage(problem) {
  if (problem === "full") return "This browser's storage is full: this chat is not kept. Delete some chats, or export this one.";
  return "This browser keeps nothing for this page: chats are gone when you leave it.";
}

/** @param {string} id */
async function openChat(id) {
  const found = store.read(id);
  if (!found) return showNotice("This chat is no longer there.");
  if (id !== chat.conversation.id) await chat.open(found);
  jumpToNewest();
}

async function startNew() {
  await chat.startNew();
  composer.focus();
}

/** @param {string} id */
async function removeChat(id) {
  const isOpen = id === chat.conversation.id;
  if (isOpen) await chat.stop();
  const removed = isOpen ? chat.conversation : store.read(id);
  store.delete(id);
  if (isOpen) await chat.startNew();
  else showChat();
  if (!removed) return;
  showNotice(`“${nameOf(removed)}” was deleted.`, [
    "Undo",
    () => {
      store.write(removed);
      if (isOpen && chat.conversation.messages.length === 0) void chat.open(removed);
      else showChat();
    },
  ]);
}

function listenToPage() {
  nameField.addEventListener("change", () => chat.update({ name: nameField.value.trim() }));
  nameField.addEventListener("keydown", ({ key }) => key === "Enter" && nameField.blur());
  document.querySelector("#examples")?.addEventListener("click", ({ target }) => {
    const example = target instanceof Element && target.closest(".example");
    if (example) chat.send(example.textContent ?? "");
  });
  openExportMenu((kind) => downloadChat(chat.conversation, kind, title));
  addEventListener("pagehide", () => chat.keepNow());
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && chat.keepNow());
  addEventListener("storage", (event) => store.owns(event.key) && showOtherTab(event));
}

/** @param {StorageEvent} event what another tab wrote */
function showOtherTab({ key, newValue }) {
  const { id } = chat.conversation;
  store.mend(key, newValue, id);
  const changed = store.isOf(key, id) ? store.read(id) : null;
  if (changed) void chat.follow(changed);
  showList(store.list(), chat.conversation.id);
}

async function start() {
  watchKeyboard();
  listenToPage();
  composer.showNote("The model is loading; you can already write.");
  const loading = shell.load();
  void shell.readManifest().then((manifest) => settings.describe(manifest?.settings.generation));
  try {
    thread.markdown = await loadMarkdown();
  } catch (error) {
    console.error(error);
    showNotice("Formatting could not be loaded: answers are shown as plain text.");
  }
  const kept = history.state?.chat && store.read(history.state.chat);
  if (kept) await chat.open(kept);
  else showChat();
  if (HAS_KEYS) composer.focus();
  model = await loading;
  if (model) Object.assign(window, { kit: model });
  else closeChat();
  composer.showNote(...(model ? describeKeys("send") : ["The model could not start: nothing can be sent."]));
  showFigures(shell, model, chat.conversation.messages);
  announceModel(model);
}

await start();

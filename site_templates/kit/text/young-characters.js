/**
 * Characters that are younger than the tables of the `tokenizers` library. Each of its parts has tables of another age,
 * and treats what it does not know as if nobody did, so the page must too. Found by asking it about every code point,
 * beside Unicode 17; tests/test_tokenization.py asks again.
 */

/** Nonspacing marks that it keeps where BERT strips accents. */
const marks =
  "7FD 897-89F 8CA-8E1 9FE AFA-AFF B55 C04 C3C D00 D3B-D3C D81 EBA ECE 180F 1885-1886 1ABF-1ADD 1AE0-1AEB " +
  "1DF6-1DFB A82C A8C5 A8FF A9BD 10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFA-10EFF 10F46-10F50 10F82-10F85 11070 " +
  "11073-11074 110C2 111C9 111CF 1123E 11241 1133B 113BB-113C0 113CE 113D0 113D2 113E1-113E2 11438-1143F " +
  "11442-11444 11446 1145E 1182F-11837 11839-1183A 1193B-1193C 1193E 11943 119D4-119D7 119DA-119DB 119E0 " +
  "11A01-11A0A 11A33-11A38 11A3B-11A3E 11A47 11A51-11A56 11A59-11A5B 11A8A-11A96 11A98-11A99 11B60 11B62-11B64 " +
  "11B66 11C30-11C36 11C38-11C3D 11C3F 11C92-11CA7 11CAA-11CB0 11CB2-11CB3 11CB5-11CB6 11D31-11D36 11D3A " +
  "11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91 11D95 11D97 11EF3-11EF4 11F00-11F01 11F36-11F3A 11F40 11F42 11F5A " +
  "13440 13447-13455 1611E-16129 1612D-1612F 16F4F 16FE4 1CF00-1CF2D 1CF30-1CF46 1E000-1E006 1E008-1E018 " +
  "1E01B-1E021 1E023-1E024 1E026-1E02A 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF 1E6E3 1E6E6 " +
  "1E6EE-1E6EF 1E6F5 1E944-1E94A";

/** Marks that it keeps where all marks are stripped. */
const combining =
  "7FD 897-89F 8CA-8D3 9FE AFA-AFF B55 C04 C3C CF3 D00 D3B-D3C D81 EBA ECE 1715 180F 1ABF-1ADD 1AE0-1AEB 1CF7 " +
  "1DF6-1DFA A82C A8FF 10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFA-10EFF 10F46-10F50 10F82-10F85 11070 " +
  "11073-11074 110C2 11145-11146 111C9 111CE-111CF 11241 1133B 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 " +
  "113D2 113E1-113E2 1145E 1182C-1183A 11930-11935 11937-11938 1193B-1193E 11940 11942-11943 119D1-119D7 " +
  "119DA-119E0 119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E 11A47 11A51-11A5B 11A8A-11A99 11B60-11B67 11D31-11D36 " +
  "11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D8A-11D8E 11D90-11D91 11D93-11D97 11EF3-11EF6 11F00-11F01 11F03 " +
  "11F34-11F3A 11F3E-11F42 11F5A 13440 13447-13455 1611E-1612F 16F4F 16F7F-16F87 16FE4 16FF0-16FF1 1CF00-1CF2D " +
  "1CF30-1CF46 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF 1E6E3 1E6E6 1E6EE-1E6EF 1E6F5";

/** Characters that it neither decomposes, nor composes, nor puts in order. */
const normalized =
  "7FD 897-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ADD 1AE0-1AEB 1DF6-1DFA 32FF A7F1-A7F4 A82C AB69 105C9 " +
  "105E4 10781-10785 10787-107B0 107B2-107BA 10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFA-10EFB 10EFD-10EFF " +
  "10F46-10F50 10F82-10F85 11070 1133B 11383 11385 1138E 11391 113C5 113C7-113C8 113CE-113D0 1145E 11839-1183A " +
  "11938 1193D-1193E 11943 119E0 11A34 11A47 11A99 11D42 11D44-11D45 11D97 11F41-11F42 16121-16128 1612F " +
  "16D68-16D6A 16FF0-16FF1 1CCD6-1CCF9 1E030-1E06D 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E5EE-1E5EF " +
  "1E6E3 1E6E6 1E6EE-1E6EF 1E6F5 1F16C 1FBF0-1FBF9";

/** What it does not take for punctuation. */
const punctuation =
  "61D 9FD A76 C77 C84 1B4E-1B4F 1B7D-1B7F 2E43-2E4F 2E52-2E5D 10D6E 10EAD 10ED0 10F55-10F59 10F86-10F89 " +
  "113D4-113D5 113D7-113D8 1144B-1144F 1145A-1145B 1145D 11660-1166C 116B9 1183B 11944-11946 119E2 11A3F-11A46 " +
  "11A9A-11A9C 11A9E-11AA2 11B00-11B09 11BE1 11C41-11C45 11C70-11C71 11EF7-11EF8 11F43-11F4F 11FFF 12FF1-12FF2 " +
  "16D6D-16D6F 16E97-16E9A 16FE2 1E5FF 1E95E-1E95F";

/** What its regular expressions do not know: the additions of Unicode 17. */
const patterns =
  "88F C5C CDC 1ACF-1ADD 1AE0-1AEB 20C1 2B96 A7CE-A7CF A7D2 A7D4 A7F1 FBC3-FBD2 FD90-FD91 FDC8-FDCE " +
  "10940-10959 10EC5-10EC7 10ED0-10ED8 10EFA-10EFB 11B60-11B67 11DB0-11DDB 11DE0-11DE9 16EA0-16EB8 16EBB-16ED3 " +
  "16FF2-16FF6 187F8-187FF 18D09-18D1E 18D80-18DF2 1CCFA-1CCFC 1CEBA-1CED0 1CEE0-1CEF0 1E6C0-1E6DE 1E6E0-1E6F5 " +
  "1E6FE-1E6FF 1F6D8 1F777-1F77A 1F8D0-1F8D8 1FA54-1FA57 1FA8A 1FA8E 1FAC8 1FACD 1FAEA 1FAEF 1FBFA 2B73A-2B73F " +
  "2CEA2-2CEAD 323B0-33479";

/**
 * @param {string} ranges  hexadecimal
 * @param {string} [others]  more characters
 * @returns {string} the inside of a class
 */
function spellClass(ranges, others = "") {
  return ranges.replace(/[0-9A-F]+/g, (code) => `\\u{${code}}`).replaceAll(" ", "") + others;
}

/** Nonspacing marks that are kept where accents are stripped. */
export const youngMark = new RegExp(`^[${spellClass(marks)}]$`, "u");

/** Format characters that are kept where text is cleaned. */
export const youngFormat = /^[\u{890}\u{891}\u{8E2}\u{110CD}\u{13430}-\u{1343F}]$/u;

const youngCombining = new RegExp(`^[${spellClass(combining)}]$`, "u");

/**
 * @param {string} char
 * @returns {boolean} whether it is a mark to the reference
 */
export function isCombining(char) {
  return /^[\p{M}\u1CF2\u1CF3]$/u.test(char) && !youngCombining.test(char);
}

/** Characters that nobody knows, of one UTF-16 unit and of two: they stand for those that the reference does not know. */
const strangers = ["\u0378", "\u{50000}"];

/** A stranger among them would be taken for one that hides another. */
const youngNormalized = new RegExp(`[${spellClass(normalized, strangers.join(""))}]`, "gu");

/**
 * @param {string} text
 * @param {(text: string) => string} normalize
 * @returns {string} normalized but for the characters that the reference does not know
 */
export function normalizeOld(text, normalize) {
  const hidden = text.match(youngNormalized);
  if (!hidden) return normalize(text);
  // Nothing moves past a stranger, so that they come out in their order.
  let next = 0;
  return normalize(text.replace(youngNormalized, strangers[0])).replaceAll(strangers[0], () => hidden[next++]);
}

/** @typedef {"punctuation" | "patterns"} Table */

/** What stood elsewhere in those tables than today, by what stands there still. @type {Record<string, string>} */
const moved = { "\u166D": "!", "\u{111C9}": "\u{10100}", "\u0295": "\u0250" };

/** @type {Record<Table, RegExp>} */
const young = {
  punctuation: new RegExp(`[${spellClass(punctuation, "\u166D\u{111C9}")}]`, "gu"),
  patterns: new RegExp(`[${spellClass(patterns, "\u0295")}]`, "gu"),
};

/**
 * @param {string} text
 * @param {Table} table
 * @returns {string} as long, with strangers in place of what the table does not know
 */
export function withOldCharacters(text, table) {
  return text.replace(young[table], (char) => moved[char] ?? strangers[char.length - 1]);
}

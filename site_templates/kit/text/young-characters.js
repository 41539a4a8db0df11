/**
 * Characters that are younger than the tables of the `tokenizers` library: it takes none of them for an accent or for a
 * format character, so neither may the page. Found by asking it about every code point, beside the browser's own tables.
 */

const marks =
  "\\u{7FD}\\u{897}-\\u{89F}\\u{8CA}-\\u{8E1}\\u{9FE}\\u{AFA}-\\u{AFF}\\u{B55}\\u{C04}\\u{C3C}\\u{D00}\\u{D3B}-\\u{D3C}" +
  "\\u{D81}\\u{EBA}\\u{ECE}\\u{180F}\\u{1885}-\\u{1886}\\u{1ABF}-\\u{1ADD}\\u{1AE0}-\\u{1AEB}\\u{1DF6}-\\u{1DFB}\\u{A82C}" +
  "\\u{A8C5}\\u{A8FF}\\u{A9BD}\\u{10D24}-\\u{10D27}\\u{10D69}-\\u{10D6D}\\u{10EAB}-\\u{10EAC}\\u{10EFA}-\\u{10EFF}" +
  "\\u{10F46}-\\u{10F50}\\u{10F82}-\\u{10F85}\\u{11070}\\u{11073}-\\u{11074}\\u{110C2}\\u{111C9}\\u{111CF}\\u{1123E}" +
  "\\u{11241}\\u{1133B}\\u{113BB}-\\u{113C0}\\u{113CE}\\u{113D0}\\u{113D2}\\u{113E1}-\\u{113E2}\\u{11438}-\\u{1143F}" +
  "\\u{11442}-\\u{11444}\\u{11446}\\u{1145E}\\u{1182F}-\\u{11837}\\u{11839}-\\u{1183A}\\u{1193B}-\\u{1193C}\\u{1193E}" +
  "\\u{11943}\\u{119D4}-\\u{119D7}\\u{119DA}-\\u{119DB}\\u{119E0}\\u{11A01}-\\u{11A0A}\\u{11A33}-\\u{11A38}" +
  "\\u{11A3B}-\\u{11A3E}\\u{11A47}\\u{11A51}-\\u{11A56}\\u{11A59}-\\u{11A5B}\\u{11A8A}-\\u{11A96}\\u{11A98}-\\u{11A99}" +
  "\\u{11B60}\\u{11B62}-\\u{11B64}\\u{11B66}\\u{11C30}-\\u{11C36}\\u{11C38}-\\u{11C3D}\\u{11C3F}\\u{11C92}-\\u{11CA7}" +
  "\\u{11CAA}-\\u{11CB0}\\u{11CB2}-\\u{11CB3}\\u{11CB5}-\\u{11CB6}\\u{11D31}-\\u{11D36}\\u{11D3A}\\u{11D3C}-\\u{11D3D}" +
  "\\u{11D3F}-\\u{11D45}\\u{11D47}\\u{11D90}-\\u{11D91}\\u{11D95}\\u{11D97}\\u{11EF3}-\\u{11EF4}\\u{11F00}-\\u{11F01}" +
  "\\u{11F36}-\\u{11F3A}\\u{11F40}\\u{11F42}\\u{11F5A}\\u{13440}\\u{13447}-\\u{13455}\\u{1611E}-\\u{16129}" +
  "\\u{1612D}-\\u{1612F}\\u{16F4F}\\u{16FE4}\\u{1CF00}-\\u{1CF2D}\\u{1CF30}-\\u{1CF46}\\u{1E000}-\\u{1E006}" +
  "\\u{1E008}-\\u{1E018}\\u{1E01B}-\\u{1E021}\\u{1E023}-\\u{1E024}\\u{1E026}-\\u{1E02A}\\u{1E08F}\\u{1E130}-\\u{1E136}" +
  "\\u{1E2AE}\\u{1E2EC}-\\u{1E2EF}\\u{1E4EC}-\\u{1E4EF}\\u{1E5EE}-\\u{1E5EF}\\u{1E6E3}\\u{1E6E6}\\u{1E6EE}-\\u{1E6EF}" +
  "\\u{1E6F5}\\u{1E944}-\\u{1E94A}";

/** Nonspacing marks that are kept where accents are stripped. */
export const youngMark = new RegExp(`^[${marks}]$`, "u");

/** Format characters that are kept where text is cleaned. */
export const youngFormat = /^[\u{890}\u{891}\u{8E2}\u{110CD}\u{13430}-\u{1343F}]$/u;

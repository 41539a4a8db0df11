/**
 * The formats of texts that a schema may ask for, as patterns: each a list of the characters that may stand at one
 * place after the other. Of what a format allows the plain forms are taken: four digits of a year, days that every year
 * has, times in UTC.
 */

const digit = "0123456789";
const hex = "0123456789abcdef";

/** @type {string[][]} the months, and days that they have */
const monthDays = [
  ...[
    ["0", "13578"],
    ["1", "02"],
  ].flatMap((month) => [...listDays(month), [...month, "-", "3", "01"]]),
  ...[
    ["0", "469"],
    ["1", "1"],
  ].flatMap((month) => [...listDays(month), [...month, "-", "3", "0"]]),
  ["0", "2", "-", "0", "123456789"],
  ["0", "2", "-", "1", digit],
  ["0", "2", "-", "2", "012345678"],
];

const date = monthDays.map((day) => [digit, digit, digit, digit, "-", ...day]);
const minutes = [":", "012345", digit];
const time = [
  ["01", digit],
  ["2", "0123"],
].map((hour) => [...hour, ...minutes, ...minutes, "Z"]);
const octet = [[digit], ["123456789", digit], ["1", digit, digit], ["2", "01234", digit], ["2", "5", "012345"]];
const uuid = [8, 4, 4, 4, 12].flatMap((count, index) => [
  ...(index ? ["-"] : []),
  ...Array.from({ length: count }, () => hex),
]);

/** What each format is made of, part after part. @type {Readonly<Record<string, string[][][]>>} */
export const textFormats = Object.freeze({
  date: [date],
  time: [time],
  "date-time": [date, [["T"]], time],
  ipv4: [octet, [["."]], octet, [["."]], octet, [["."]], octet],
  uuid: [[uuid]],
});

/**
 * @param {string[]} month
 * @returns {string[][]} its days up to the 29th
 */
function listDays(month) {
  return [
    [...month, "-", "0", "123456789"],
    [...month, "-", "12", digit],
  ];
}

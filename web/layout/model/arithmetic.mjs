/**
 * Sums as one types them into a number field: numbers with a point or a comma, + - * / and their signs × ÷ −, and
 * parentheses.
 */

const TOKEN = /\s*(?:(\d+(?:[.,]\d*)?|[.,]\d+)|([-+*/()×÷−]))/y;
const SAME = /** @type {Record<string, string>} */ ({ "×": "*", "÷": "/", "−": "-" });

/** @param {string} text @returns {number | null} null where it is no sum, or has no finite value */
export function valueOfSum(text) {
  const tokens = tokensOf(text.trim());
  if (!tokens?.length) return null;
  let at = 0;
  const take = (/** @type {string} */ signs) => (signs.includes(String(tokens[at])) ? String(tokens[at++]) : null);

  /** @returns {number} NaN where there is nothing to read */
  function sum() {
    let value = product();
    for (let sign = take("+-"); sign; sign = take("+-")) value = sign === "+" ? value + product() : value - product();
    return value;
  }
  function product() {
    let value = factor();
    for (let sign = take("*/"); sign; sign = take("*/")) value = sign === "*" ? value * factor() : value / factor();
    return value;
  }
  /** @returns {number} */
  function factor() {
    const sign = take("+-");
    if (sign) return sign === "-" ? -factor() : factor();
    if (take("(")) {
      const value = sum();
      return take(")") ? value : NaN;
    }
    const number = tokens?.[at];
    if (typeof number !== "number") return NaN;
    at++;
    return number;
  }

  const value = sum();
  return at === tokens.length && Number.isFinite(value) ? value : null;
}

/** @param {string} text @returns {(number | string)[] | null} */
function tokensOf(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const [, number, sign] = TOKEN.exec(text) ?? [];
    if (number === undefined && sign === undefined) return null;
    tokens.push(number === undefined ? (SAME[sign] ?? sign) : Number(number.replace(",", ".")));
  }
  return tokens;
}

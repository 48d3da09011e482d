// Text of others as it may be shown: nothing in it turns the line round that it stands in, and all of it can be seen.

/** Control characters but for blanks, what sets the direction of writing or has no width, and what begins an escape. */
const ACTS = /[^\P{C}\n\t]|[\p{Zl}\p{Zp}]|\\(?=u\{)/gu;
/** Letters that are written from right to left. */
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const ESCAPE = /\\u\{([0-9a-f]+)\}/g;
/** Begin and end what keeps its direction to itself. */
const [ISOLATE, END] = ["\u2068", "\u2069"];
/** JSON in which there can be none of all that. */
const PLAIN = /^(?:[ -[\]-~\n]|\\[^u])*$/;

function shownText(text: string): string {
  const escaped = text.replace(ACTS, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`);
  return RIGHT_TO_LEFT.test(escaped) ? ISOLATE + escaped + END : escaped;
}

/** Makes another value of each text in a value, keys too. */
function mapped<T>(value: T, change: (text: string) => string): T {
  if (typeof value === "string") return change(value) as T;
  if (Array.isArray(value)) return value.map((one) => mapped(one, change)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [change(key), mapped(one, change)])) as T;
}

/** Reads JSON whose texts are to be shown. */
export function readShown(json: string): any {
  const value: unknown = JSON.parse(json);
  return PLAIN.test(json) ? value : mapped(value, shownText);
}

/** Makes what the daemon calls things of what they are shown as. */
export function asMeant<T>(value: T): T {
  return mapped(value, (text) =>
    text
      .replace(/^\u2068([^]*)\u2069$/, "$1")
      .replace(ESCAPE, (_whole, code: string) => String.fromCodePoint(parseInt(code, 16))),
  );
}

// JSON as the text it came in. A browser's JSON.parse keeps no integer beyond 2^53, no -0, no second key of the same name
// and no order of keys that look like numbers; whoever wants to see what is there is shown the text itself.

const kSpace = new Set([" ", "\t", "\n", "\r"]);

// Where the value that begins at `at` ends. Expects well-formed JSON: what JSON.parse took.
function valueEnd(text: string, at: number): number {
  if (text[at] === '"') {
    let i = at + 1;
    while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
    return i + 1;
  }
  if (text[at] !== "{" && text[at] !== "[") {
    let i = at;
    while (i < text.length && !",]}".includes(text[i] ?? "") && !kSpace.has(text[i] ?? "")) i += 1;
    return i;
  }
  let depth = 0;
  for (let i = at; i < text.length; ) {
    const c = text[i];
    if (c === '"') {
      i = valueEnd(text, i);
      continue;
    }
    if (c === "{" || c === "[") depth += 1;
    if (c === "}" || c === "]") depth -= 1;
    i += 1;
    if (depth === 0) return i;
  }
  return text.length;
}

function skip(text: string, at: number): number {
  while (kSpace.has(text[at] ?? "") || text[at] === "," || text[at] === ":") at += 1;
  return at;
}

// The text of a member of the object in `text`; undefined when it isn't there.
export function memberText(text: string, name: string): string | undefined {
  const wanted = JSON.stringify(name);
  for (let at = skip(text, 1); at < text.length && text[at] !== "}"; ) {
    const keyEnd = valueEnd(text, at);
    const value = skip(text, keyEnd);
    const end = valueEnd(text, value);
    if (text.slice(at, keyEnd) === wanted) return text.slice(value, end);
    at = skip(text, end);
  }
  return undefined;
}

// The text of item `index` of the array in `text`.
export function itemText(text: string, index: number): string | undefined {
  let at = skip(text, 1);
  for (let i = 0; at < text.length && text[at] !== "]"; i += 1) {
    const end = valueEnd(text, at);
    if (i === index) return text.slice(at, end);
    at = skip(text, end);
  }
  return undefined;
}

// The same text with one member a line, two spaces a level; not a character of a key or a value is changed. Text that isn't
// JSON stays as it is.
export function indented(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let out = "";
  let depth = 0;
  const line = (): string => `\n${"  ".repeat(depth)}`;
  for (let at = 0; at < text.length; ) {
    const c = text[at] ?? "";
    if (c === '"') {
      const end = valueEnd(text, at);
      out += text.slice(at, end);
      at = end;
      continue;
    }
    at += 1;
    if (kSpace.has(c)) continue;
    if (c === "{" || c === "[") {
      let next = at;
      while (kSpace.has(text[next] ?? "")) next += 1;
      if (text[next] === "}" || text[next] === "]") {
        out += c + (text[next] ?? "");
        at = next + 1;
        continue;
      }
      depth += 1;
      out += c + line();
    } else if (c === "}" || c === "]") {
      depth -= 1;
      out += line() + c;
    } else if (c === ",") {
      out += c + line();
    } else {
      out += c === ":" ? ": " : c;
    }
  }
  return out;
}

// Runs in the page: every visible text that is cut by an ancestor, leaves its own box or the screen, or is a word in pieces;
// each once, in a line of words.
// What a row of the feed shows of an event is free text: its title may end in an ellipsis, and its fields are there whole or
// not at all. The event in full is a click away.
export function cutTexts() {
  const SLACK_PX = 1;
  const LONG_WORD = 14;
  const scrolled = ".faults-buttons, .severities"; // rows of buttons that a finger moves
  const titles = ".row-what b";
  const wholeOrAbsent = ".row-field";
  const cut = new Set();
  const words = (element) => `${element.className || element.tagName} "${element.textContent.trim().replace(/\s+/g, " ").slice(0, 60)}"`;
  const boxOf = (element) => {
    let at = element;
    while (getComputedStyle(at).display.startsWith("inline") && !getComputedStyle(at).display.includes("-")) at = at.parentElement;
    return at;
  };
  const clips = (style) => ({
    x: ["hidden", "clip"].includes(style.overflowX) || style.contain.includes("paint"),
    y: ["hidden", "clip"].includes(style.overflowY) || style.contain.includes("paint"),
  });
  for (const element of document.querySelectorAll("#page *")) {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.closest(`.visually-hidden, .skip, svg, select, ${titles}`)) continue;
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "");
    for (const text of texts) {
      const range = document.createRange();
      range.selectNodeContents(text);
      const rects = [...range.getClientRects()].filter(({ width, height }) => width > 0 && height > 0);
      const word = text.textContent.trim();
      const broken = !element.closest("pre") && word.length <= LONG_WORD && !/[\s/]/.test(word) && rects.some(({ top }) => top > rects[0].top + 2);
      if (broken) cut.add(`broken into lines: ${words(element)}`);
      const own = boxOf(element);
      const box = own.getBoundingClientRect();
      for (const rect of rects) {
        if (rect.right > innerWidth + SLACK_PX && !element.closest(scrolled)) cut.add(`beyond the screen: ${words(element)}`);
        if (rect.right > box.right + SLACK_PX || rect.left < box.left - SLACK_PX) cut.add(`leaves its box: ${words(element)}`);
        for (let at = own; at && at.id !== "page"; at = at.parentElement) {
          const style = getComputedStyle(at);
          const by = clips(style);
          const { left, right, top, bottom } = at.getBoundingClientRect();
          const sideways = by.x && (rect.right > right + SLACK_PX || rect.left < left - SLACK_PX);
          const above = by.y && (rect.bottom > bottom + 2 * SLACK_PX || rect.top < top - 2 * SLACK_PX);
          const absent = rect.top >= bottom - SLACK_PX && element.closest(wholeOrAbsent) !== null;
          if ((sideways || above) && !absent) cut.add(`cut by ${at.className || at.tagName}: ${words(element)}`);
          if (style.position === "fixed") break;
        }
      }
      const ellipsis = getComputedStyle(own).textOverflow === "ellipsis" && own.scrollWidth > own.clientWidth + SLACK_PX;
      if (ellipsis) cut.add(`ends in an ellipsis: ${words(element)}`);
    }
  }
  const wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wider > 0) cut.add(`the page is ${wider} px wider than the screen`);
  return [...cut];
}

// What is wrong with the layout of the page as it stands, in words: for tests/browser/layout.py.
(() => {
  const faults = [];
  const root = document.documentElement;
  const wide = root.clientWidth;
  // What lies behind an open dialog cannot be reached.
  const open = document.querySelector("dialog[open]") || document.body;
  const name = (one) => {
    const text = (one.innerText || one.value || one.getAttribute("aria-label") || "").trim();
    const mark = one.id ? `#${one.id}` : one.getAttribute("class") ? `.${one.classList[0]}` : "";
    return `<${one.localName}${mark}> "${text.slice(0, 40)}"`;
  };
  const shown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  // A table scrolls inside its sheet: what is beyond the sheet's edge is not on the page.
  const scrolls = (one) => one.closest(".sheet, pre, textarea");
  const overlap = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  const clipped = (box, one) => {
    let { left, right, top, bottom } = box;
    const frame = scrolls(one);
    if (frame && frame !== one) {
      const edge = frame.getBoundingClientRect();
      left = Math.max(left, edge.left);
      right = Math.min(right, edge.right);
    }
    return { left, right, top, bottom, width: right - left, height: bottom - top };
  };

  if (root.scrollWidth > wide) faults.push(`the page scrolls sideways: ${root.scrollWidth} > ${wide}`);

  // Texts: none clipped by its own box, none beyond the edge of the page, no two on the same spot.
  const texts = [];
  const walker = document.createTreeWalker(open, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const one = node.parentElement;
    if (!node.data.trim() || one.closest("script, style, noscript, option, .skip") || !shown(one)) continue;
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const spot = clipped(box, one);
      if (spot.width < 1 || spot.height < 1) continue;
      texts.push({ one, spot });
      if (!scrolls(one) && (spot.right > wide + 1 || spot.left < -1)) {
        faults.push(`beyond the edge: ${name(one)}`);
      }
    }
    if (seen.has(one) || scrolls(one) || one instanceof SVGElement) continue;
    seen.add(one);
    if (getComputedStyle(one).display !== "inline" && one.clientWidth && one.scrollWidth > one.clientWidth + 1) {
      faults.push(`text is wider than its box: ${name(one)} ${one.scrollWidth} > ${one.clientWidth}`);
    }
    for (let up = one; up !== document.body; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (!/hidden|clip/.test(style.overflow)) continue;
      if (up.scrollWidth > up.clientWidth + 1 || up.scrollHeight > up.clientHeight + 1) {
        faults.push(`text is clipped by ${name(up)}`);
      }
    }
  }
  for (const one of open.querySelectorAll("select, input:not([type=hidden], [type=checkbox], [type=radio])")) {
    const empty = !one.value || one.type === "password";
    if (shown(one) && !empty && !scrolls(one) && one.localName === "select" && one.scrollWidth > one.clientWidth + 1) {
      faults.push(`text is wider than its box: ${name(one)}`);
    }
  }
  texts.sort((a, b) => a.spot.top - b.spot.top);
  texts.forEach(({ one, spot }, at) => {
    for (let next = at + 1; next < texts.length && texts[next].spot.top < spot.bottom - 2; next += 1) {
      const other = texts[next];
      // The boxes of letters are taller than the letters: a third in common is a collision.
      const common = Math.min(spot.bottom, other.spot.bottom) - other.spot.top;
      if (common * 3 > Math.min(spot.height, other.spot.height) && overlap(spot, other.spot)) {
        faults.push(`texts collide: ${name(one)} and ${name(other.one)}`);
      }
    }
  });

  // What is pressed: apart from each other, and large enough to be hit.
  const choice = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  const targets = [...open.querySelectorAll(choice)]
    .filter((one) => shown(one) && !one.closest(".skip"))
    .map((one) => {
      const label = one.matches("[type=checkbox], [type=radio]") && one.closest("label");
      const parts = [...(label || one).getClientRects()].map((box) => clipped(box, one));
      return { one, whole: label || one, spots: parts.filter((box) => box.width > 1 && box.height > 1) };
    })
    .filter(({ spots }) => spots.length);
  targets.sort((a, b) => a.spots[0].top - b.spots[0].top);
  const tall = Math.max(0, ...targets.map(({ spots }) => spots.at(-1).bottom - spots[0].top));
  const near = (at, reach) => {
    const found = [];
    const { top } = targets[at].spots[0];
    const { bottom } = targets[at].spots.at(-1);
    for (let back = at - 1; back >= 0 && targets[back].spots[0].top > top - tall - reach; back -= 1) found.push(targets[back]);
    for (let next = at + 1; next < targets.length && targets[next].spots[0].top < bottom + reach; next += 1) found.push(targets[next]);
    const { whole } = targets[at];
    return found.filter((other) => !other.whole.contains(whole) && !whole.contains(other.whole));
  };
  targets.forEach(({ one, spots }, at) => {
    for (const other of near(at, 0)) {
      if (spots.some((a) => other.spots.some((b) => overlap(a, b)))) {
        faults.push(`targets overlap: ${name(one)} and ${name(other.one)}`);
      }
    }
    const [box] = spots;
    // As WCAG 2.5.8 has it: small is right within a sentence, and with nothing else near.
    const style = getComputedStyle(one);
    const beside = [...one.parentElement.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if ((box.width >= 23.5 && box.height >= 23.5) || spots.length > 1 || (style.display === "inline" && beside)) return;
    const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
    const crowded = near(at, 24).some(({ spots: others }) => others.some((b) => {
      const [dx, dy] = [x - Math.min(Math.max(x, b.left), b.right), y - Math.min(Math.max(y, b.top), b.bottom)];
      return dx * dx + dy * dy < 144;
    }));
    if (crowded) faults.push(`small target: ${name(one)} ${Math.round(box.width)}×${Math.round(box.height)}`);
  });
  return [...new Set(faults)].slice(0, 20);
})()

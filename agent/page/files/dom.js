// Makes elements of values, and brings the page up to date without losing focus or open details.
// Text goes in as text nodes only: nothing that a node says can become markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function s(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === true) element.setAttribute(name, "");
    else if (!missing(value)) element.setAttribute(name, String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (!missing(child)) element.append(child);
  }
  return element;
}

function missing(value) {
  return value === null || value === undefined || value === false || value === "";
}

// Put `children` into `parent` by changing only what differs.
export function show(parent, ...children) {
  const focused = document.activeElement;
  const fresh = filled(parent.cloneNode(false), {}, children);
  within(parent, fresh);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus();
}

// Set a text, if it is another: a live region must not be read out twice.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function morph(old, fresh) {
  const same = old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName;
  if (!same || key(old) !== key(fresh)) {
    old.replaceWith(fresh);
  } else if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else {
    attributes(old, fresh);
    within(old, fresh);
  }
}

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    const kept = name === "open"; // whether details are open is up to the reader
    if (!kept && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// Children with a `data-key` are found again wherever they were; all others by their place.
function within(old, fresh) {
  const known = new Map([...old.children].map((one) => [key(one), one]));
  let place = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const mine = key(next) && known.get(key(next));
    known.delete(key(next)); // of two with one key the second is new
    if (mine && mine !== place) {
      old.insertBefore(mine, place);
      morph(mine, next);
    } else if (place === null || (key(next) && !mine)) {
      old.insertBefore(next, place);
    } else {
      const after = place.nextSibling;
      morph(place, next);
      place = after;
    }
  }
  while (place !== null) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function key(node) {
  return (node.nodeType === Node.ELEMENT_NODE && node.dataset.key) || "";
}

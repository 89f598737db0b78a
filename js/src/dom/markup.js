const REFUSED = "script, iframe, object, embed, link, base";

/**
 * The nodes of HTML that Python made from its templates, which escape every value; what could run is left out.
 * @param {string} html
 */
export function nodesOf(html) {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  for (const element of body.querySelectorAll(REFUSED)) element.remove();
  for (const element of body.querySelectorAll("*"))
    for (const { name } of [...element.attributes]) if (name.startsWith("on")) element.removeAttribute(name);
  return [...body.childNodes];
}

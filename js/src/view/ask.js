import { h, unique } from "../dom/dom.js";
import { menu } from "../dom/widgets.js";
import { Question } from "../model/question.js";
import { count, numberLabel } from "../words/numbers.js";
import { because, changes, tally, telling } from "./ask_words.js";

/** @import { Model } from "../model/model.js" */
/** @import { Attribute, ViewOptions } from "../types.ts" */

/** People whose names are listed, and people who are offered to choose from, at most. */
const LISTED = 200;
const OFFERED = 3000;

/** People whose names are listed without a click, at most. */
const AT_ONCE = 12;

/** Of what may have been meant, so many are offered. */
const MEANT = 8;

const EVERYBODY = "everybody";

/** A question in a sentence, with its answer: may they, why, and what would have to change. */
export class Ask {
  #turn = 0;
  /** Whether the form is of other decisions, or not made yet. */
  #stale = true;

  /**
   * @param {Model} model
   * @param {ViewOptions["onWhy"]} why asks Python about a decision that came without an explanation
   */
  constructor(model, why) {
    this.model = model;
    this.why = why;
    this.form = h("div", { class: "ccl-ask-form" });
    this.answer = h("div", { class: "ccl-ask-answer", role: "status", "aria-live": "polite" });
    this.element = h(
      "details",
      { class: "ccl-ask" },
      h("summary", {}, "Ask: may somebody, and why?"),
      this.form,
      this.answer,
    );
    this.element.open = model.cube.header.said === true;
    this.element.addEventListener("toggle", () => {
      if (!this.element.open) return;
      if (this.#stale) this.renew();
      else this.#show();
    });
    this.renew();
  }

  /** Other decisions have other people and values. */
  renew() {
    this.#stale = !this.element.open; // a closed box costs nothing, however often the decisions change
    if (this.#stale) return;
    const { dims, exact } = this.model.cube;
    const list = h("datalist", { id: unique("who") });
    /** @type {Map<string, number[]>} */
    this.people = new Map();
    const onchange = () => this.#show();
    this.who = h("input", { type: "text", list: list.id, value: EVERYBODY, autocomplete: "off" });
    this.who.addEventListener("input", onchange); // not "change", too: it would replace a button that is pressed
    this.who.addEventListener("focus", () => {
      if (list.childElementCount) this.who?.select();
      else {
        const offered = [...this.#choices().keys()].slice(0, OFFERED);
        list.append(...offered.map((value) => h("option", { value })));
        this.who?.select();
      }
    });
    this.fields = dims.map(({ labels, title, name, numbers }, d) => {
      if (d === 0 || labels.length < 2) return null;
      const label = name === "action" ? "action" : title;
      if (exact?.dim === d) {
        const value = telling(this.model.cube, numbers ?? []);
        const input = h("input", { type: "number", step: "any", value, onchange });
        return { d, label, input, value: () => input.valueAsNumber };
      }
      const input = menu(
        label,
        labels.map((text, i) => [i, text]),
        onchange,
      );
      input.selectedIndex = Math.max(0, labels.indexOf("OTHER"));
      return { d, label, input, value: () => Number(input.value) };
    });
    const labelled = (/** @type {string} */ text, /** @type {Element} */ input) =>
      h("label", {}, h("span", {}, text), input);
    this.form.replaceChildren(
      labelled("who (everybody, an attribute, a person)", this.who),
      list,
      ...this.fields.flatMap((field) => (field ? [labelled(field.label, field.input)] : [])),
    );
    this.#show();
  }

  /** Who can be asked about, by what is typed: everybody, those with an attribute, each person. */
  #choices() {
    const [{ labels, attributes = [] }] = this.model.cube.dims;
    if (!this.people?.size) {
      this.people = new Map([[EVERYBODY, [...labels.keys()]]]);
      for (const attribute of attributes)
        if (attribute.values.length <= 60)
          for (const [words, codes] of chosenBy(attribute, this.model.layout.common.others))
            this.people.set(
              words,
              [...attribute.codes.keys()].filter((i) => codes.has(attribute.codes[i])),
            );
      for (const [i, label] of labels.entries()) this.people.set(label, [i]);
    }
    return this.people;
  }

  /** What is typed. */
  get #typed() {
    return this.who?.value.trim() || EVERYBODY;
  }

  /** What may be meant by what is typed. */
  #near() {
    const text = this.#typed.toLowerCase();
    return [...this.#choices().keys()].filter((one) => one.toLowerCase().includes(text));
  }

  /** The people that are asked about; null if what is typed is nobody's, or may be several's. */
  #asked() {
    const known = this.#choices();
    const found = known.get(this.#typed);
    if (found) return found;
    const near = this.#near();
    return near.length === 1 ? (known.get(near[0]) ?? null) : null;
  }

  /** Who may be meant, to choose from. */
  #meant() {
    const near = this.#near();
    if (!near.length) return ["Nobody is called so: choose from the list, or type a part of it."];
    const choose = (/** @type {string} */ one) => {
      const onclick = () => {
        if (this.who) this.who.value = one;
        this.#show();
        this.who?.focus();
      };
      return h("button", { type: "button", onclick }, one);
    };
    const more = near.length > MEANT ? [` and ${count(near.length - MEANT)} more; type more of it.`] : [];
    return ["Whom do you mean? ", ...near.slice(0, MEANT).flatMap((one) => [choose(one), " "]), ...more];
  }

  #show() {
    this.#turn += 1;
    const people = this.#asked();
    const question = this.#question();
    if (!people || !question) {
      const wanted = people ? ["Type a number."] : this.#meant();
      return this.answer.replaceChildren(h("p", { class: "ccl-soft" }, ...wanted));
    }
    if (people.length === 1) this.#one(question, people[0]);
    else this.#several(question, people);
  }

  #question() {
    const { cube } = this.model;
    const index = cube.dims.map(() => 0);
    let amount = null;
    for (const field of this.fields ?? []) {
      if (!field) continue;
      const value = field.value();
      if (Number.isNaN(value)) return null;
      if (cube.exact?.dim === field.d) amount = value;
      else index[field.d] = value;
    }
    if (cube.exact && amount === null) amount = cube.dims[cube.exact.dim].numbers?.[0] ?? 0;
    return new Question(cube, index, amount);
  }

  /** The values that are asked about, in words: "approve, amount (USD) 7,500, expense region south". */
  #words(/** @type {Question} */ { cube, index, amount }) {
    const parts = cube.dims.slice(1).map(({ name, title, labels }, k) => {
      const exact = cube.exact?.dim === k + 1;
      const label = exact ? numberLabel(amount ?? 0) : labels[index[k + 1]];
      return name === "action" ? label : `${exact ? "at " : ""}${title} ${label}`;
    });
    return parts.join(", ");
  }

  /**
   * @param {Question} question
   * @param {number[]} people
   */
  #several(question, people) {
    const may = people.filter((one) => question.may(one));
    const all = people.length === this.model.cube.dims[0].labels.length;
    const nobody = all ? "Nobody may" : `None of these ${count(people.length)} may`;
    const names = may.slice(0, LISTED).flatMap((one, i) => [i ? ", " : "", ...this.#name(one)]);
    const more = may.length > LISTED ? `, and ${count(may.length - LISTED)} more` : "";
    /** @type {HTMLElement[]} */
    const parts = [
      h(
        "p",
        {},
        h("b", {}, may.length ? `${count(may.length)} of ${count(people.length)} may` : nobody),
        ` ${this.#words(question)}.`,
      ),
    ];
    const out = may.filter((one) => this.#out(one)).length;
    if (out) parts.push(h("p", {}, `⊘ ${count(out)} of those who may can't sign in.`));
    if (question.segment !== null) parts.push(h("p", {}, `Limits: ${tally(question, people)}.`));
    if (may.length > AT_ONCE) {
      const shown = h("summary", {}, `Show the ${count(may.length)} who may`);
      parts.push(h("details", {}, shown, h("p", {}, ...names, `${more}.`)));
    } else if (may.length) parts.push(h("p", {}, may.length > 1 ? "They are: " : "It is: ", ...names, "."));
    this.answer.replaceChildren(...parts);
  }

  /** Why a person can't sign in; "" if they can. */
  #out(/** @type {number} */ person) {
    return this.model.cube.dims[0].signedOut?.[person] ?? "";
  }

  /** A person, with a mark if they can't sign in. */
  #name(/** @type {number} */ person) {
    const out = this.#out(person);
    const name = h("span", { class: "ccl-whole" }, this.model.cube.dims[0].labels[person]);
    return out ? [name, h("span", { class: "ccl-odd", title: `can't sign in: ${out}` }, " ⊘")] : [name];
  }

  /**
   * @param {Question} question
   * @param {number} person
   */
  #one(question, person) {
    const { explained, cube } = this.model;
    const may = question.may(person);
    const limits = question.limits(person);
    const yes = h("b", { class: may ? "ccl-yes" : "ccl-no" }, may ? "✓ Yes" : "✗ No");
    const who = cube.dims[0].labels[person];
    const parts = [h("p", {}, yes, `: ${who} may${may ? "" : " not"} ${this.#words(question)}.`)];
    const out = this.#out(person);
    if (out) parts.push(h("p", {}, `⊘ ${may ? "But they" : "They"} can't sign in: ${out}.`));
    const reason = h("div", {});
    const change = may ? [] : changes(question, person, limits);
    if (change.length) parts.push(h("p", {}, "They may at: ", h("b", {}, change.join("; or ")), "."));
    else if (limits) parts.push(h("p", {}, `They may at: ${limits}.`));
    this.answer.replaceChildren(...parts, reason);
    const place = question.place(person);
    const one = explained?.knows(place) ? explained.chosen(place) : undefined;
    const number = one && explained ? explained.at(one) : -1;
    if (explained && one && number >= 0)
      return reason.replaceChildren(...because(explained.data, number, explained.fill(one), may));
    const { why } = this;
    if (!why || explained) {
      const how = explained
        ? "The reason is not known here: choose one of the swept amounts."
        : "These decisions came without reasons: decisions.explain() adds them.";
      return reason.replaceChildren(h("p", { class: "ccl-soft" }, how));
    }
    const turn = this.#turn;
    reason.textContent = "Asking the PDP why…";
    why({ kind: "why", place, amount: question.amount ?? undefined }, ({ nodes, error }) => {
      if (turn !== this.#turn) return;
      if (nodes) reason.replaceChildren(...because(nodes, 0, (text) => text, may));
      else reason.textContent = error ?? "There is no explanation.";
    });
  }
}

/**
 * Whom an attribute offers to ask about: those with a value; of roles, everybody who has a role.
 * @param {Attribute} attribute
 * @param {Set<string>} others names of attributes that are not the person's
 * @returns {[words: string, codes: Set<number>][]}
 */
function chosenBy({ name, values, lists }, others) {
  const own = others.has(name) ? `their ${name}` : name;
  if (!lists) return values.map((value, code) => [`${own} ${value}`, new Set([code])]);
  /** @type {Map<string, Set<number>>} */
  const found = new Map();
  for (const [code, value] of values.entries()) {
    const several = lists[code];
    if (several) found.set(`${name} ${value}`, new Set([code]));
    for (const one of several ?? [value])
      found.set(`role ${one}`, (found.get(`role ${one}`) ?? new Set()).add(code));
  }
  return [...found];
}

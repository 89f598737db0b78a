/** Explanations of cells, as Python writes them, and the questions and answers about them. */

import type { Place } from "./types.ts";

/** Mark, words, place and source as positions among the texts, and the nodes below. */
export type WhyNode = [mark: number, words: number, place: number, code: number, below: number[]];

/** Sentence, cause, rules, which of them are open, and last lines. */
export type WhyTree = [sentence: number, cause: number, rules: number[], opened: number[], ends: number[]];

/** Explanations that share their equal parts, as Python writes them. */
export interface Explanations {
  texts: string[];
  nodes: WhyNode[];
  explanations: WhyTree[];
}

/** What a slot stands for: a label for each principal, or the value of a dimension. */
export interface Slot {
  /** The dimension; a numeric one has no labels. */
  dim?: number;
  labels?: (string | null)[];
  /** For each principal, the position of the label. */
  codes?: number[];
  /** In place of a label that is null: the principal's own. */
  own?: { labels: string[]; codes: number[] };
}

/** Which explanation each cell of an action has. */
export interface ExplainedCells {
  /** For each principal; -1: not explained. */
  kinds: number[];
  /** For each kind: for each axis its codes (null: the axis is cut), and the explanation of each point. */
  each: { points: (number | null)[]; shape: number[]; table: number[] }[];
  codes: number[][];
  /** For each axis that is cut: for each principal, which cuts. */
  lines: (number[] | null)[];
  cuts: number[][];
}

/** Explanations that came with the decisions. */
export interface Embedded extends Explanations {
  slots: Slot[];
  cells: ExplainedCells[];
  /** The explanations of what is denied because of broken data. */
  broken: number[];
  /** Dimension, number or number of a slot, the rule that makes a boundary there, and by action the kinds for whom. */
  breaks: [dim: number, how: "number" | "slot", what: number, words: string, kinds: number[][]][];
}

/** One of the explanations: about whom if there are several, and with values filled in. */
export interface Answered {
  number: number;
  who?: string;
  fill?: (text: string) => string;
}

/** A question about a cell; of an interval, one amount in it. */
export interface WhyQuestion {
  /** Why it is what it is; what would turn it around; why the answer is what it is after one of these changes. */
  kind: "why" | "changes" | "changed";
  place: Place;
  /** Positions of the principals of a group of equal rows. */
  people?: number[];
  amount?: number;
  /** Of the change that is asked. */
  number?: number;
}

/** Python's answer to a question about a cell. */
export interface WhyAnswer {
  nodes?: Explanations;
  /** About whom each of several explanations is. */
  people?: string[];
  error?: string;
  /** What would turn the cell around, in words, and whether it can be asked. */
  changes?: [words: string, can: boolean][];
  /** What to know about them, and how they were found. */
  lines?: string[];
  about?: string;
  /** The changed request, in words. */
  cell?: string;
  /** Not an answer yet: how many requests have been asked. */
  asked?: number;
}

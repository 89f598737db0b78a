/** The data from Python, the state a reader can change, and the interfaces between parts of the view. */

import type { Answer, Chosen, Controls } from "./explorer_types.ts";
import type { Embedded, WhyAnswer, WhyQuestion } from "./why_types.ts";

/** An attribute of the principals: principal `i` has the value `values[codes[i]]`. */
export interface Attribute {
  name: string;
  values: string[];
  codes: number[];
  /** Of roles: the roles of each value that is not one role, by its position. */
  lists?: Record<number, string[]>;
}

/** A dimension as Python writes it. */
export interface HeaderDim {
  name: string;
  /** The displayed name, such as one with a unit, if it differs. */
  title?: string;
  labels: string[];
  /** For each label, the slice of the small cube that stands for it. */
  map: number[];
  /** The numbers, if every label is one. */
  numbers?: number[];
  /** Only for the principals. */
  attributes?: Attribute[];
  /** Data problems of a principal, by position. */
  problems?: Record<string, string[]>;
  signedOut?: Record<string, string>;
  /** In a page of scenarios: people and attributes are those of the first scenario. */
  same?: boolean;
}

/** A dimension as the browser holds it. */
export interface Dim extends Omit<HeaderDim, "map" | "title"> {
  title: string;
  map: Uint32Array;
}

/** An axis that is known exactly: cut `i` lies just before its number (side 0) or just after it (side 1). */
export interface HeaderExact {
  dim: number;
  cuts: number[];
  sides: number[];
  /** For each segment, the slice of the small cube that stands for it. */
  map: number[];
}

export interface Exact extends Omit<HeaderExact, "map"> {
  map: Uint32Array;
}

/** The header of a payload. */
export interface Header {
  title: string;
  headline?: [where: string, what: string][];
  meanings?: [word: string, meaning: string][];
  said?: boolean;
  scenario?: string | null;
  rows: string[];
  columns: string[];
  fixed: [string, string][];
  total: number;
  allow: number;
  notes: string[];
  caption: string;
  warning: string | null;
  /** The shape of the cube of distinct slices. */
  small: number[];
  dims: HeaderDim[];
  exact: HeaderExact | null;
  /** Only of a comparison. */
  changed?: boolean;
  /** Whether Python can be asked what would turn a decision around, although changes are shown. */
  asks?: boolean;
  /** Only after `explain`. */
  why?: Embedded;
  /** Only for an explorer: the number of the answer, the ends of its amounts, and the requested amounts. */
  number?: number;
  window?: [number, number] | null;
  asked?: number[] | null;
}

export interface Payload {
  header: Header;
  bits: Uint8Array;
  /** Only of a comparison: the cells before the change. */
  past?: Uint8Array;
}

/** An interval of an axis; an infinite end is open. */
export interface Ends {
  lower: number;
  lowerClosed: boolean;
  upper: number;
  upperClosed: boolean;
}

/** Neighbouring segments that are equal in the rows shown. */
export interface Run {
  first: number;
  last: number;
  /** The offset of their cells in the small cube from the start of a row. */
  offset: number;
}

/** An interval of equal effect of one row. */
export interface Band {
  allow: boolean;
  /** Before and after a change: see `Cube.state`. */
  state: number;
  ends: Ends;
  /** Segments, or columns of the grid, from the first to the last. */
  first: number;
  last: number;
  /** Whether only the amounts of a grid are known. */
  grid: boolean;
}

export type Effect = "any" | "some" | "none" | "mixed" | "all" | "broken" | "changed";

/** The state a reader can change. Plain data: Python reads and sets it. */
export interface State {
  view: "matrix" | "thresholds";
  /** Columns as exact thresholds, or as the amounts of the grid; null: whichever fits better. */
  exact: boolean | null;
  search: string;
  /** "given", "label", "share", "threshold", "column:<number of the grid>", "segment:<number of the line>" */
  sort: string;
  descending: boolean;
  grouped: boolean;
  effect: Effect;
  /** Only principals with a data problem. */
  problem: boolean;
  /** "principal.<attribute>" or a dimension → the labels that are kept. */
  filters: Record<string, string[]>;
  scale: "linear" | "log";
}

/** The decision of a cell, as positions that Python turns into values. */
export interface Place {
  index: number[];
  number: number | undefined;
  segment: [number, number] | null;
  amount?: number;
}

/** The content of one table row: a single row, a group of equal rows, or a member of an open group. */
export interface Item {
  row: number;
  /** Only for a group: its rows, and whether they are listed below it. */
  group?: { key: string; rows: number[]; open: boolean };
  member?: boolean;
}

/** The description of a cell. */
export interface Description {
  lines: [name: string, value: string][];
  allow: boolean;
  /** Whether it is denied because of broken data, where that is known. */
  broken: boolean;
  boundary: string;
}

export interface ViewOptions {
  /** Ask Python about a cell; without it only embedded explanations are shown. */
  onWhy?: (question: WhyQuestion, then: (answer: WhyAnswer) => void) => void;
  state?: Partial<State>;
  /** How many sentences of the headline are shown at once; the others can be opened. Default: all. */
  sentences?: number;
  onState?: (state: State) => void;
  onSelect?: (place: Place) => void;
}

/** Calls from the table to the view about what a reader does; for strips, a column is a band. */
export interface GridHooks {
  onSelect: (item: Item, column: number) => void;
  onHover: (item: Item, column: number, event: PointerEvent) => void;
  onLeave: () => void;
  onState: (patch: Partial<State>) => void;
  onReset: () => void;
  onFocus: (item: Item | null, column: number) => void;
}

/** The selected cell of a table: a column, or a band of a strip; the other is -1. */
export interface Selected {
  row: number;
  group: boolean;
  column: number;
  band: number;
}

/** A state and choice of an explorer that can be restored. */
export interface Kept {
  state: State;
  choice?: Chosen;
  /** The values of limits, in tune. */
  values?: Record<string, unknown>;
}

/** A request to the history of an explorer, with the current state. */
export interface Act {
  name: "undo" | "redo" | "reset" | "add";
  number: number;
  now: Kept;
  /** A value that was typed, and the control it is for. */
  value?: { name: string; text: string };
}

/** The traits that Python and the browser share. */
export interface Traits {
  kind: "matrix" | "explorer" | "tune";
  payload: DataView | ArrayBuffer;
  state: State;
  place: Place & { time: number };
  controls: Controls;
  choice: { request: number | null; chosen: Chosen };
  answer: Answer;
  /** The states before changes made in the browser, oldest first. */
  kept: { number: number; entries: Kept[] };
  act: Act;
  /** What became of the policies since the first answer, and whether what is shown is older than they are. */
  followed: { text?: string; old?: boolean };
}

/** anywidget's model. */
export interface Link {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  on<Given>(event: string, act: (given: Given) => void): void;
  off<Given>(event: string, act: (given: Given) => void): void;
  send(content: object): void;
  save_changes(): void;
}

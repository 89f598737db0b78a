/** What Python gives, what a reader can change, and what the parts of the view tell each other. */

/** An attribute of the principals: `values[codes[i]]` is that of principal `i`. */
export interface Attribute {
  name: string;
  values: string[];
  codes: number[];
}

/** A dimension as Python writes it. */
export interface HeaderDim {
  name: string;
  /** The name as it is shown, such as with a unit; where it is another. */
  title?: string;
  labels: string[];
  /** For each label, the slice of the small cube that stands for it. */
  map: number[];
  /** Where every label is a number, these. */
  numbers?: number[];
  /** Of the principals. */
  attributes?: Attribute[];
  /** What is odd in the data of a principal, by position. */
  problems?: Record<string, string[]>;
  /** In a page of scenarios: people and attributes are those of the first one. */
  same?: boolean;
}

/** A dimension as it is held here. */
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

/** The head of a payload. */
export interface Header {
  title: string;
  scenario?: string | null;
  rows: string[];
  columns: string[];
  fixed: [string, string][];
  total: number;
  allow: number;
  notes: string[];
  caption: string;
  warning: string | null;
  /** The shape of the cube of different slices. */
  small: number[];
  dims: HeaderDim[];
  exact: HeaderExact | null;
  /** Of an explorer: the number of the answer, the ends of its amounts, and what was asked for them. */
  number?: number;
  window?: [number, number] | null;
  asked?: number[] | null;
}

export interface Payload {
  header: Header;
  bits: Uint8Array;
}

/** An interval of an axis; an end that is infinite is open. */
export interface Ends {
  lower: number;
  lowerClosed: boolean;
  upper: number;
  upperClosed: boolean;
}

/** Some neighbouring segments that are equal in the rows shown. */
export interface Run {
  first: number;
  last: number;
  /** Where their cells lie in the small cube, from the row's own place on. */
  offset: number;
}

/** An interval of equal effect of one row. */
export interface Band {
  allow: boolean;
  ends: Ends;
  /** Segments, or columns of the grid, from the first to the last. */
  first: number;
  last: number;
  /** Whether only the amounts of a grid are known. */
  grid: boolean;
}

export type Effect = "any" | "some" | "none" | "mixed" | "all";

/** What a reader can change. Plain data: Python reads and sets it. */
export interface State {
  view: "matrix" | "thresholds";
  /** Columns as exact thresholds, or as the amounts of the grid; null: whatever fits better. */
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

/** Which decision a cell is: positions, of which Python makes labels. */
export interface Place {
  index: number[];
  number: number | undefined;
  segment: [number, number] | null;
  amount?: number;
}

/** What stands in one row: a row of its own, a group of equal ones, or a member of an open group. */
export interface Item {
  row: number;
  /** Of a group: its rows, and whether they stand below it. */
  group?: { key: string; rows: number[]; open: boolean };
  member?: boolean;
}

/** What there is to say of a cell. */
export interface Told {
  lines: [name: string, value: string][];
  allow: boolean;
  boundary: string;
}

export interface ViewOptions {
  state?: Partial<State>;
  onState?: (state: State) => void;
  onSelect?: (place: Place) => void;
}

/** How the table tells the view what a reader does in it; a column of strips is a band. */
export interface GridHooks {
  onSelect: (item: Item, column: number) => void;
  onHover: (item: Item, column: number, event: PointerEvent) => void;
  onLeave: () => void;
  onState: (patch: Partial<State>) => void;
  onFocus: (item: Item | null, column: number) => void;
}

/** Amounts of the axis across: even steps, or values of their own. */
export interface Range {
  low: number;
  high: number;
  step: number;
  values?: number[] | null;
}

/** The controls of an explorer, as Python offers them. */
export interface Controls {
  kind: string;
  policies: { name: string; title: string; labels: string[] }[];
  actions: string[];
  absent: number[];
  choices: { name: string; labels: string[] }[];
  constants: { name: string; value: number }[];
  range: (Range & { name: string; ticks: number[]; exact: boolean }) | null;
}

/** What is chosen in them: a position (of policies), positions, constants by name, or a range. */
export type Chosen = Record<string, number | number[] | Record<string, number> | Range>;

/** What Python says of its last answer. */
export interface Answer {
  request: number;
  call: string;
  asked: number;
  new: number;
  seconds: number;
  change: { gained: number; lost: number } | null;
  said: string;
  error: string | null;
  /** Whether there is a change to undo, and one to redo. */
  history: { undo: boolean; redo: boolean };
}

/** How an explorer is shown and what is chosen in it: what can be come back to. */
export interface Kept {
  state: State;
  choice?: Chosen;
}

/** What a reader asks of the history of an explorer, and what is shown meanwhile. */
export interface Act {
  name: "undo" | "redo" | "reset";
  number: number;
  now: Kept;
}

/** What Python and the browser share. */
export interface Traits {
  kind: "matrix" | "explorer";
  payload: DataView | ArrayBuffer;
  state: State;
  place: Place & { time: number };
  controls: Controls;
  choice: { request: number | null; chosen: Chosen };
  answer: Answer;
  /** What was shown before changes that were made here, oldest first. */
  kept: { number: number; entries: Kept[] };
  act: Act;
}

/** anywidget's model. */
export interface Link {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  on(event: string, act: () => void): void;
  off(event: string, act: () => void): void;
  save_changes(): void;
}

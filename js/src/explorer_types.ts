/** What Python and the browser exchange about an explorer's controls, and about limits that are moved. */

/** Amounts of the axis across the top: even steps, or a list of values. */
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
  choices: Offered[];
  constants: { name: string; value: number }[];
  range: (Range & { name: string; ticks: number[]; exact: boolean }) | null;
}

/** An attribute with values to choose from. */
export interface Offered {
  name: string;
  labels: string[];
  /** How many principals have each value, if the policies compare it with theirs. */
  people: (number | null)[];
  /** The positions of values that only one principal has, where the others share a few. */
  unusual: number[];
  /** For each action, whether its rules read the attribute. */
  read: boolean[];
  /** Whether any other value can be typed. */
  typed: boolean;
}

/** The choices in the controls: a position (policies), positions, constants by name, or a range. */
export type Chosen = Record<string, number | number[] | Record<string, number> | Range>;

/** Python's report on its latest answer. */
export interface Answer {
  request: number;
  call: string;
  asked: number;
  new: number;
  seconds: number;
  /** What moved limits do: who gains and loses, groups of people, counts of decisions; empty if none is moved. */
  moved: string[];
  said: string;
  error: string | null;
  /** Whether there is a change to undo, or one to redo. */
  history: { undo: boolean; redo: boolean };
}

/** A limit of the policies that can be moved. */
export interface MovedLimit {
  name: string;
  label: string;
  place: string;
  value: unknown;
  form: "number" | "text" | "json";
  min?: number;
  max?: number;
  step?: number;
}

/** The values of all limits; after a rest also witnesses and records are asked about. */
export interface MovedChoice {
  request: number | null;
  values: Record<string, unknown>;
  settled?: boolean;
}

/** What moved limits do: HTML in which Python has escaped every value. */
export interface MovedAnswer {
  request: number;
  settled: boolean;
  headline: string;
  changes: string;
  replay: string | null;
  error: string | null;
  seconds: number;
}

// The expenses, in memory: put your database here.
import type { Resource } from "./check";

export type Expense = Resource & { readonly title: string };

const expenses = new Map<string, Expense>(
  [
    expense("1", "Conference", 1_200, "south"),
    expense("2", "Servers", 7_500, "northeast"),
    expense("3", "Office chairs", 10_000.01, "south"),
    expense("4", "Building work", 50_000, "west"),
  ].map((one) => [one.id, one]),
);

export function allExpenses(): Expense[] {
  return [...expenses.values()];
}

export function findExpense(id: string): Expense | undefined {
  return expenses.get(id);
}

export function setStatus(id: string, status: string): void {
  const found = expenses.get(id);
  if (found !== undefined) expenses.set(id, { ...found, attr: { ...found.attr, status } });
}

function expense(id: string, title: string, amount: number, region: string): Expense {
  return { id, title, attr: { amount, region, owner: "user_of_somebody_else", status: "OPEN" } };
}

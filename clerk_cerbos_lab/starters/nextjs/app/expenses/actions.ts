"use server";

import { revalidatePath } from "next/cache";
import { isAllowed } from "@/lib/check";
import { findExpense, setStatus } from "@/lib/expenses";
import { currentPrincipal } from "@/lib/identity";

/** Asks Cerbos again: a hidden button is no protection. */
export async function approve(form: FormData): Promise<void> {
  const id = form.get("id");
  const principal = await currentPrincipal();
  const expense = typeof id === "string" ? findExpense(id) : undefined;
  if (principal === undefined || expense === undefined) throw new Error("There is no such expense.");
  if (!(await isAllowed(principal, "approve", expense))) throw new Error("You may not approve this expense.");
  setStatus(expense.id, "APPROVED");
  revalidatePath("/expenses");
}

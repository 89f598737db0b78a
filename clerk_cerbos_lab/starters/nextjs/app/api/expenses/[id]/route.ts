import { allowedActions } from "@/lib/check";
import { findExpense, setStatus } from "@/lib/expenses";
import { currentPrincipal } from "@/lib/identity";

type Context = { readonly params: Promise<{ readonly id: string }> };

/** The expense and what the signed-in user may do with it. */
export async function GET(_request: Request, { params }: Context): Promise<Response> {
  const found = await ask((await params).id);
  if (found instanceof Response) return found;
  if (!found.may.view) return refusal(403, "You may not view this expense.");
  return Response.json({ ...found.expense, may: found.may });
}

/** Approves the expense. */
export async function POST(_request: Request, { params }: Context): Promise<Response> {
  const found = await ask((await params).id);
  if (found instanceof Response) return found;
  if (!found.may.approve) return refusal(403, "You may not approve this expense.");
  setStatus(found.expense.id, "APPROVED");
  return Response.json({ id: found.expense.id, status: "APPROVED" });
}

async function ask(id: string) {
  const principal = await currentPrincipal();
  if (principal === undefined) return refusal(401, "Nobody is signed in.");
  const expense = findExpense(id);
  if (expense === undefined) return refusal(404, "There is no such expense.");
  return { expense, may: await allowedActions(principal, expense) };
}

function refusal(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

import { auth } from "@clerk/nextjs/server";
import { allowedActions } from "@/lib/check";
import { allExpenses } from "@/lib/expenses";
import { currentPrincipal } from "@/lib/identity";
import { approve } from "./actions";

const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

export default async function Page() {
  const principal = await currentPrincipal();
  if (principal === undefined) return (await auth()).redirectToSignIn();
  const expenses = await Promise.all(
    allExpenses().map(async (expense) => ({ ...expense, may: await allowedActions(principal, expense) })),
  );
  const visible = expenses.filter(({ may }) => may.view);
  return (
    <>
      <h1>Expenses</h1>
      {visible.length === 0 ? (
        <p>There are no expenses that you may view.</p>
      ) : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">What</th>
                <th scope="col">Region</th>
                <th scope="col" className="number">
                  Amount
                </th>
                <th scope="col">Status</th>
                <th scope="col">Approval</th>
              </tr>
            </thead>
            <tbody>
              {visible.map(({ id, title, attr, may }) => (
                <tr key={id}>
                  <th scope="row">{title}</th>
                  <td>{attr.region}</td>
                  <td className="number">{dollars.format(attr.amount)}</td>
                  <td>{attr.status.toLowerCase()}</td>
                  <td>
                    {may.approve ? (
                      <form action={approve}>
                        <input type="hidden" name="id" value={id} />
                        <button type="submit" aria-label={`Approve ${title}`}>
                          Approve
                        </button>
                      </form>
                    ) : (
                      attr.status === "OPEN" && <span className="note">not yours to approve</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

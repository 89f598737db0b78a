"use client"; // as Next.js requires it of error pages

/** What somebody sees when the page or an approval fails, most often because Cerbos does not answer. */
export default function Failed({ retry }: Readonly<{ retry: () => void }>) {
  return (
    <div role="alert">
      <h1>That did not work</h1>
      <p>Nothing was changed. Without an answer from Cerbos, nothing is shown and nobody may approve.</p>
      <p>The server’s log says what happened.</p>
      <button
        type="button"
        onClick={() => {
          retry();
        }}
      >
        Try again
      </button>
    </div>
  );
}

function () {
  // ColumnControl's fields have no accessible names, its lists use HTML names, and numbers with commas are refused.
  const head = this.api().table().header();
  const titles = [...head.rows[0].cells].map((cell) => cell.querySelector(".dt-column-title").textContent);
  for (const cell of head.querySelectorAll("[data-dt-column]")) {
    const title = titles[cell.dataset.dtColumn];
    const input = cell.querySelector(".dtcc-search input");
    if (!input || input.hasAttribute("aria-label")) continue; // this runs after each draw
    input.setAttribute("aria-label", `Show only: ${title}`);
    cell.querySelector(".dtcc-search select").setAttribute("aria-label", `How to compare ${title}`);
    if (input.inputMode === "numeric") {
      input.addEventListener("input", () => { input.value = input.value.replaceAll(",", ""); }, true);
    }
    const list = cell.querySelector(".dtcc-button_dropdown");
    list?.setAttribute("aria-label", `Choose values of ${title}`);
    list?.addEventListener("click", () => {
      for (const item of document.querySelectorAll(".dtcc-dropdown .dtcc-button")) {
        item.setAttribute("aria-label", item.textContent.trim());
      }
    });
  }
}

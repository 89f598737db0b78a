// What scrolls sideways can be reached by keyboard.
document.addEventListener("DOMContentLoaded", () => {
  for (const block of document.querySelectorAll("pre, .table-wrapper, .cell_output")) block.tabIndex = 0;
});

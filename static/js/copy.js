/** Buttons that copy the value of a field: <button data-copy="id of the field" hidden>. */

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // Without HTTPS there is no clipboard to write to: select, so that Ctrl+C does it.
      field.select();
      document.dispatchEvent(new CustomEvent("announce", { detail: "Selected. Copy it with Ctrl+C." }));
      return;
    }
    button.textContent = "Copied";
    document.dispatchEvent(new CustomEvent("announce", { detail: "The link is copied." }));
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

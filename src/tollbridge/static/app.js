// What the pages cannot do without a script: the clipboard, and dialogs in older browsers.
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = document.getElementById(copy.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    const label = copy.textContent;
    copy.textContent = copy.dataset.copied;
    setTimeout(() => { copy.textContent = label; }, 1500);
    return;
  }
  const button = event.target.closest("button[command]");
  if (button && !("command" in HTMLButtonElement.prototype)) {
    const dialog = document.getElementById(button.getAttribute("commandfor"));
    if (button.getAttribute("command") === "show-modal") dialog.showModal();
    else dialog.close();
  }
});

// A form that is sent twice does its work once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A line of a table that unfolds: the link's page comes as a part, once, and is then shown or hidden.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-unfold]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const row = document.getElementById(link.dataset.unfold);
  if (!row.dataset.full) {
    const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
    if (!answer.ok || answer.redirected) { location.href = link.href; return; }
    row.firstElementChild.innerHTML = await answer.text();
    row.dataset.full = "1";
  }
  row.hidden = !row.hidden;
  link.setAttribute("aria-expanded", String(!row.hidden));
});

// What the pages need beyond htmx: opening and closing the dialog, copying, tabs, and the browser's time zone.
// Everything listens on the document, so that what htmx brings later works too.

const dialog = () => document.getElementById("dialog");

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "dialog-body" && !dialog().open) dialog().showModal();
});

document.addEventListener("click", (event) => {
  const opener = (selector) => event.target.closest(selector);
  if (opener("[data-closes-dialog]") && dialog()?.open) {
    event.preventDefault();
    dialog().close();
  } else if (event.target === dialog()) dialog().close();
  else if (opener("[data-copies]")) copy(opener("[data-copies]"));
  else if (opener("[data-sends]")) send(opener("[data-sends]"));
  else if (opener('[role="tab"]')) selectTab(opener('[role="tab"]'));
});

// A closed dialog keeps nothing of what was typed into it.
document.addEventListener("close", (event) => {
  if (event.target !== dialog()) return;
  document.getElementById("dialog-body").replaceChildren();
  document.getElementById("dialog-failure").textContent = "";
}, true);

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest('[role="tab"]');
  if (!tab || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const tabs = [...tab.parentElement.querySelectorAll('[role="tab"]')];
  const step = event.key === "ArrowRight" ? 1 : -1;
  selectTab(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]);
});

async function copy(button) {
  const source = document.getElementById(button.dataset.copies);
  const label = button.querySelector("[data-label]");
  button.dataset.named ??= label.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    label.textContent = "Copied";
  } catch {
    // Over plain http on another machine browsers give no clipboard, and people may refuse it.
    source.hidden = false;
    getSelection().selectAllChildren(source);
    label.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { label.textContent = button.dataset.named; }, 2000);
}

// Sends the request of the curl snippet with the key shown on the page; how it went is told by the line that asks the server.
async function send(button) {
  const error = document.getElementById("send-error");
  button.disabled = true;
  error.textContent = "";
  try {
    const response = await fetch("/v3/router/responses", {
      method: "POST",
      headers: {
        Authorization: `Bearer ${document.getElementById(button.dataset.sends).textContent.trim()}`,
        "Content-Type": "application/json",
      },
      body: button.dataset.body,
      credentials: "omit",
    });
    if (!response.ok) error.textContent = (await response.json()).error.message;
  } catch {
    error.textContent = "The gateway did not answer. Is it running?";
  }
  button.disabled = false;
}

function selectTab(tab) {
  for (const other of tab.parentElement.querySelectorAll('[role="tab"]')) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  tab.focus();
}

// A request of htmx that failed must not look like a click that did nothing. It is said where it was made: in the open
// dialog, or on the page, which a dialog covers.
const failureSlot = (element) => document.getElementById(dialog()?.contains(element) ? "dialog-failure" : "failure");

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const slot = failureSlot(event.detail.elt);
    const status = event.detail.xhr?.status;
    const text = status
      ? `The server answered ${status}. Nothing was changed; reload the page and try again.`
      : "The server does not answer. Reload to see whether it was saved.";
    // What is said already is not read out again, second by second.
    if (slot.textContent !== text) slot.textContent = text;
  });
}
document.addEventListener("htmx:afterSwap", (event) => {
  failureSlot(event.detail.target).textContent = "";
});

// An error in a folded part of a form unfolds it.
document.addEventListener("htmx:afterSettle", () => {
  for (const slot of document.querySelectorAll("details:not([open]) .field-error:not(:empty)")) {
    slot.closest("details").open = true;
  }
});

// A form that asks for a time zone begins with the browser's.
for (const field of document.querySelectorAll("select[data-browser-time-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...field.options].some((option) => option.value === zone)) field.value = zone;
}

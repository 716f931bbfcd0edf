"""The list's one script: asks again while somebody types or chooses. Without it, the form's button does the same."""

SCRIPT = """
"use strict";
const form = document.querySelector("form");
let timer = 0;
let asked = 0;
async function show() {
  const filled = [...new FormData(form)].filter(([, value]) => value);
  const query = "?" + new URLSearchParams(filled);
  const turn = ++asked;
  try {
    const answer = await fetch(query, {headers: {Accept: "text/html"}});
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = page.getElementById("list");
    if (turn !== asked) return;
    if (!answer.ok || !list) throw new Error(String(answer.status));
    document.getElementById("list").replaceWith(list);
    history.replaceState(null, "", query);
  } catch {
    if (turn === asked) form.submit();
  }
}
form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 250); });
form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); show(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  event.preventDefault();
  form.elements.q.focus();
});
"""

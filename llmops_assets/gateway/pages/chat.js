"use strict";
// A chat over the gateway's own API: what it shows is what any client gets.

const PATHS = {
  matched: "published answer",
  generated: "written by the model",
  handover: "a colleague takes over",
  small_talk: "courtesy",
  refused: "not answered",
};
const at = (id) => document.getElementById(id);
let turns = [];
let conversation = crypto.randomUUID();
let running = null;

at("key").value = sessionStorage.getItem("key") || "";
at("key").addEventListener("change", () => sessionStorage.setItem("key", at("key").value));

function headers() {
  const key = at("key").value.trim();
  return { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").find((line) => line.startsWith("data: "));
      if (data && data !== "data: [DONE]") yield JSON.parse(data.slice(6));
    }
  }
}

async function told(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the gateway answered ${response.status}`;
  }
}

function shown(question) {
  const asked = document.createElement("p");
  asked.className = "question";
  asked.textContent = question;
  const answer = at("answer").content.firstElementChild.cloneNode(true);
  at("talk").append(asked, answer);
  return answer;
}

function failed(answer, message) {
  answer.classList.add("error");
  answer.querySelector(".text").textContent = message;
  answer.querySelector("footer").remove();
}

function explained(answer, about) {
  const similarity = about.similarity === null ? "" : `, similarity ${about.similarity.toFixed(2)}`;
  answer.querySelector(".path").textContent = `${PATHS[about.path] || about.path}${similarity}, release ${about.release}`;
  for (const cited of about.citations) {
    const item = document.createElement("li");
    item.textContent = `${cited.article} (${cited.similarity.toFixed(2)})`;
    answer.querySelector(".cited").append(item);
  }
  if (about.notice && !about.noticed) {
    at("notice").textContent = about.notice;
    at("notice").hidden = false;
  }
}

function rateable(answer, interaction) {
  const said = answer.querySelector(".said");
  const buttons = { 1: answer.querySelector(".up"), "-1": answer.querySelector(".down") };
  const form = answer.querySelector(".correction");
  const opener = answer.querySelector(".correct");

  async function send(rating, correction) {
    const body = JSON.stringify({ interaction, rating, ...(correction ? { correction } : {}) });
    try {
      const response = await fetch("v1/feedback", { method: "POST", headers: headers(), body });
      said.textContent = response.ok ? "Stored, thank you." : await told(response);
      if (!response.ok) return;
    } catch {
      said.textContent = "the gateway cannot be reached";
      return;
    }
    for (const [value, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(value === String(rating)));
    form.hidden = true;
    opener.setAttribute("aria-expanded", "false");
  }

  buttons[1].addEventListener("click", () => send(1));
  buttons["-1"].addEventListener("click", () => send(-1));
  opener.addEventListener("click", () => {
    form.hidden = !form.hidden;
    opener.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.querySelector("textarea").focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(-1, form.querySelector("textarea").value.trim());
  });
}

async function ask(question, answer, signal) {
  const before = turns;
  const text = answer.querySelector(".text");
  text.textContent = "…";
  const messages = [...before, { role: "user", content: question }];
  const body = JSON.stringify({ model: at("model").value, stream: true, messages, metadata: { conversation } });
  const response = await fetch("v1/chat/completions", { method: "POST", headers: headers(), body, signal });
  if (!response.ok) {
    if (response.status === 401) at("access").open = true;
    failed(answer, await told(response));
    return;
  }
  let whole = "";
  let about = null;
  for await (const event of events(response)) {
    if (event.error) {
      failed(answer, event.error.message);
      return;
    }
    whole += event.choices?.[0]?.delta?.content ?? "";
    text.textContent = whole || "…";
    if (event.llmops?.path) about = event.llmops;
  }
  text.textContent = whole;
  before.push({ role: "user", content: question }, { role: "assistant", content: whole });
  if (about) explained(answer, about);
  // Tests of a release that is not live are not logged: there is nothing to rate.
  if (about && at("model").value === "assistant") rateable(answer, about.interaction);
  else answer.querySelector(".rating").remove();
  answer.scrollIntoView({ block: "end" });
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = at("question").value.trim();
  if (!question || running) return;
  const own = new AbortController();
  running = own;
  at("question").value = "";
  const answer = shown(question);
  try {
    await ask(question, answer, own.signal);
  } catch {
    if (!own.signal.aborted) failed(answer, "the gateway cannot be reached");
  } finally {
    if (running === own) running = null;
    at("question").focus();
  }
});

at("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("ask").requestSubmit();
  }
});

at("again").addEventListener("click", () => {
  if (running) running.abort();
  running = null;
  turns = [];
  conversation = crypto.randomUUID();
  at("talk").replaceChildren();
  at("notice").hidden = true;
  at("question").focus();
});

// Keeps the table of runs up to date while the page is open. What a source says is only ever text.
"use strict";

const table = document.getElementById("runs");
const body = table.tBodies[0];
const pattern = document.getElementById("row");
const how = document.getElementById("how");
const states = JSON.parse(table.dataset.states);
const streams = JSON.parse(table.dataset.streams);
let known = null;

function ago(at) {
  const seconds = Math.abs(Date.now() - at) / 1000;
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(
    ([size]) => seconds >= size || size === 1
  );
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function many(count, word) {
  return `${word}${count === 1 ? "" : "s"}`;
}

function steps(run) {
  const found = [];
  if (run.steps_done !== null) {
    const of = run.steps_total === null ? "" : ` of ${run.steps_total}`;
    found.push(`${run.steps_done}${of} ${many(run.steps_total || run.steps_done, "step")}`);
  }
  if (run.step !== null) found.push(`at ${run.step}`);
  return found.join(", ");
}

function percent(fraction) {
  return `${Math.floor(100 * Math.min(1, Math.max(0, fraction)) + 1e-9)} %`;
}

function drawn(run) {
  const row = pattern.content.firstElementChild.cloneNode(true);
  const place = (name) => row.querySelector(`[data-of="${name}"]`);
  const write = (name, text, style) => {
    place(name).textContent = text;
    if (style !== undefined) place(name).className = style;
  };
  const when = (name, none) => {
    const made = document.createElement(run[name] === null ? "span" : "time");
    if (run[name] === null) {
      made.className = "quiet";
      made.textContent = none;
    } else {
      made.dateTime = made.title = run[name];
      made.textContent = ago(Date.parse(run[name]));
    }
    place(name).replaceChildren(made);
  };
  const over = run.finished_at !== null;
  const told = steps(run);
  const bar = row.querySelector("progress");
  bar.hidden = run.progress === null;
  bar.value = run.progress === null ? 0 : run.progress;
  bar.setAttribute("aria-label", `Progress of ${run.run}`);
  const whose = run.connector === null ? ["pipeline", run.pipeline] : ["connector", run.connector];
  write("run", run.run);
  write("whose", whose[1] === null ? "" : whose.join(" "));
  write("source", run.source);
  write("state", states[run.state] || run.state, run.state);
  write("attempt", run.attempt > 1 ? `attempt ${run.attempt}` : "");
  write("error", run.error || "");
  write("progress", run.progress === null ? "" : percent(run.progress));
  write("steps", told || (run.progress === null ? "not known" : ""));
  write("rows", run.rows === null ? "" : Math.round(run.rows).toLocaleString("en"));
  write("stream", over ? "" : streams[run.stream] || run.stream, run.stream);
  write("reconnects", run.reconnects ? `${run.reconnects} ${many(run.reconnects, "reconnect")}` : "");
  write("stream_error", run.stream_error || "");
  when("seen_at", "never");
  when("started_at", "not known");
  when("finished_at", "not yet");
  return row;
}

function draw() {
  if (known === null) return;
  body.replaceChildren(...known.map(drawn));
  table.hidden = known.length === 0;
  document.getElementById("none").hidden = known.length > 0;
}

function say(text) {
  if (how.textContent !== text) how.textContent = text;
}

const events = new EventSource(table.dataset.stream);
events.onmessage = (event) => {
  known = JSON.parse(event.data);
  say("Kept up to date.");
  draw();
};
events.onerror = () => {
  // A browser tries again by itself, but not after an answer such as 401 or 503.
  if (events.readyState === EventSource.CLOSED) {
    say("Not kept up to date; the page is loaded again in 15 s.");
    setTimeout(() => location.reload(), 15000);
  } else {
    say("The connection is gone; trying again.");
  }
};
setInterval(draw, 5000); // how long ago things were

/** Starts the page that watches the server: it reads once a second, and shows what it has read. */

import { History } from "./data/history.js";
import { startBanner } from "./parts/banner.js";
import { startCalls } from "./parts/calls.js";
import { startControls } from "./parts/controls.js";
import { startGlance } from "./parts/glance.js";
import { startLatency } from "./parts/latency.js";
import { Marks } from "./parts/marks.js";
import { keepReading } from "./parts/reading.js";
import { startSaid } from "./parts/said.js";
import { startSaturation } from "./parts/saturation.js";
import { startVersions } from "./parts/versions.js";
import { View } from "./parts/view.js";
import { startWorkers } from "./parts/workers.js";

const SECTIONS = {
  glance: startGlance,
  latency: startLatency,
  calls: startCalls,
  versions: startVersions,
  said: startSaid,
  saturation: startSaturation,
  workers: startWorkers,
};

let history = new History();
let marks = new Marks();
let end = NaN;

const chosen = startControls({ onChange: show });
const sections = Object.entries(SECTIONS).map(([id, start]) => start(document.getElementById(id), { onChange: show }));
const banner = startBanner({ retry: () => read() });
const read = keepReading({ onPage, onProblem: banner.failed });

function onPage(text, seconds) {
  // Somebody has put the clock back.
  if (seconds <= history.time) [history, marks] = [new History(), new Marks()];
  history.add(text, seconds);
  banner.answered();
  const restarted = marks.note(history.look(seconds, seconds));
  if (restarted !== null) banner.restarted(restarted);
  if (!chosen.isPaused) show();
}

function show() {
  if (!chosen.isPaused) end = history.time;
  if (Number.isNaN(end)) return;
  const view = new View(history, { range: chosen.range, end, marks: marks.list });
  for (const showSection of sections) showSection(view);
}

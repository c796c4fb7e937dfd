/** Watch the network: its picture, live or layer by layer, or the same as tables. */

import { byId, say } from "../elements.js";
import { moveFocus } from "./neurons.js";
import { decimal, signed } from "./numbers.js";
import { createPicture } from "./picture.js";
import { sceneOf } from "./scene.js";
import { LIVE, layerAt } from "./steps.js";
import { showTables } from "./tables.js";

const KEYS = ["models", "network", "altered", "pixels", "answer", "selection", "view", "palette"];
const SECONDS_A_LAYER = 1.1;

export function start({ store }) {
  const { stage, play, step, showAll, watchView, watchTables, stepWords, readout } = byId;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)");
  let scene = sceneOf(store);
  let time = LIVE;
  let isPlaying = false;
  let pointed = null;
  let [showPicture, pictured] = [null, ""];
  let [frame, since] = [0, 0];

  function render(now) {
    frame = 0;
    scene = sceneOf(store);
    const { sizes, shape, labelNames } = scene;
    if (isPlaying) {
      time += Math.max(0, now - since) / 1000 / SECONDS_A_LAYER;
      since = now;
      if (time < sizes.length) schedule();
      else [time, isPlaying] = [LIVE, false];
    }
    const isTables = store.state.view === "tables";
    [stage.hidden, watchTables.hidden, watchView.ariaPressed] = [isTables, !isTables, isTables];
    [play.hidden, play.textContent] = [isStill.matches, isPlaying ? "Pause" : "Play"];
    showAll.hidden = time === LIVE;
    say(stepWords, describeStep(scene, layerAt(time)));
    say(readout, read(scene, pointed, store.state.networkProblem));
    if (isTables) showTables(watchTables, scene, choose);
    // Until it is known what follows the input, there is nothing to see.
    if (isTables || sizes.length < 2) return;
    const key = JSON.stringify([stage.clientWidth, sizes, shape, labelNames]);
    if (key !== pictured) showPicture = createPicture(stage, scene, { onPoint, onChoose: choose });
    pictured = key;
    showPicture(scene, time, pointed);
  }

  function schedule() {
    frame ||= requestAnimationFrame(render);
  }

  function onPoint(neuron) {
    pointed = neuron;
    schedule();
  }

  /** Choose a neuron; a second time, none. */
  function choose({ layer, neuron }) {
    const { selection } = store.state;
    const isSame = selection?.layer === layer - 1 && selection.neuron === neuron;
    store.set({ selection: isSame ? null : { layer: layer - 1, neuron } });
  }

  function go(to, plays = false) {
    [time, isPlaying, since] = [to, plays, performance.now()];
    schedule();
  }

  const isLast = () => layerAt(time) >= scene.sizes.length - 1;
  play.onclick = () => go(isLast() && !isPlaying ? 0 : time, !isPlaying);
  step.onclick = () => go(isLast() ? 1 : layerAt(time) + 2);
  showAll.onclick = isStill.onchange = () => go(LIVE);
  watchView.onclick = () => store.set({ view: stage.hidden ? "picture" : "tables" });
  const leave = () => onPoint(null);
  const listeners = { pointerover: onPoint, focusin: onPoint, pointerout: leave, focusout: leave, click: choose };
  for (const [type, act] of Object.entries(listeners)) {
    stage.addEventListener(type, ({ target }) => {
      const { layer, neuron } = target.closest("button")?.dataset ?? {};
      if (layer) act({ layer: Number(layer), neuron: Number(neuron) });
    });
  }
  stage.onkeydown = moveFocus;
  new ResizeObserver(schedule).observe(stage);
  store.watch(KEYS, schedule);
}

function describeStep({ network, activations, sizes, shape, labelNames, label }, layer) {
  if (!activations || layer >= sizes.length) return "Live: it follows the drawing. Step through it, layer by layer.";
  const count = sizes[layer].toLocaleString("en");
  const where = `${layer + 1} of ${sizes.length}:`;
  const input = shape ? "pixels light up: each holds how bright it is" : "inputs hold their numbers";
  if (!layer) return `${where} the ${count} ${input}.`;
  const squish = network ? ` and squishes the sum (${network.layers[layer - 1].activation})` : "";
  const answer = layer === sizes.length - 1 ? ` The brightest is the answer: ${labelNames[label]}.` : "";
  return `${where} each of the ${count} neurons adds up weight times activation, adds its bias${squish}.${answer}`;
}

function read({ network, activations, layerName, neuronName }, pointed, problem) {
  if (!activations) return "";
  if (!pointed && !network) return `Without lines: the weights are not available. ${problem}`;
  if (!pointed) return "Point at a neuron to read it; press it to look inside.";
  const { layer, neuron } = pointed;
  const value = decimal(activations[layer][neuron]);
  const name = neuronName(layer, neuron);
  if (!layer) return `${name}: ${value}`;
  const own = network?.layers[layer - 1];
  const squish = own ? `${own.activation}(${signed(own.sums(activations[layer - 1])[neuron], 3)}) = ` : "";
  return `${layerName(layer)}, ${name}: ${squish}${value}`;
}

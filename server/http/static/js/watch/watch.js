/** Watch the network: its picture, live or layer by layer, or the same as tables. */

import { decimal, signed } from "./numbers.js";
import { moveFocus } from "./neurons.js";
import { createPicture } from "./picture.js";
import { sceneOf } from "./scene.js";
import { LIVE, advance, pause, play, step } from "./steps.js";
import { createTables } from "./tables.js";

const KEYS = ["models", "network", "altered", "pixels", "answer", "selection", "view", "palette"];

export function start({ store, root }) {
  const find = (name) => root.querySelector(`[data-part=${name}]`);
  const [stage, tables, playing, all, view] = ["stage", "tables", "play", "live", "view"].map(find);
  const isStill = matchMedia("(prefers-reduced-motion: reduce)");
  const showTables = createTables(tables, onChoose);
  let scene = sceneOf(store);
  let state = LIVE;
  let pointed = null;
  let [showPicture, pictured] = [null, ""];
  let [frame, since] = [0, 0];

  function render(now) {
    frame = 0;
    scene = sceneOf(store);
    if (state.isPlaying) {
      state = advance(state, Math.max(0, now - since) / 1000, scene.sizes.length - 1);
      since = now;
      if (state.isPlaying) schedule();
    }
    const isTables = store.get("view") === "tables";
    [stage.hidden, tables.hidden, view.ariaPressed] = [isTables, !isTables, isTables];
    [playing.hidden, playing.textContent] = [isStill.matches, state.isPlaying ? "Pause" : "Play"];
    all.hidden = state.layer === Infinity;
    say("sentence", stepWords(scene, state.layer));
    say("readout", readoutWords(scene, pointed, store.get("networkProblem")));
    if (isTables) showTables(scene);
    // Until it is known what follows the input, there is nothing to see.
    if (isTables || scene.sizes.length < 2) return;
    const key = JSON.stringify([stage.clientWidth, scene.sizes, scene.shape, scene.labelNames]);
    if (key !== pictured) showPicture = createPicture(stage, scene, { onPoint, onChoose });
    pictured = key;
    showPicture(scene, state, pointed);
  }

  function say(name, words) {
    if (find(name).textContent !== words) find(name).textContent = words;
  }

  function schedule() {
    frame ||= requestAnimationFrame(render);
  }

  function onPoint(neuron) {
    pointed = neuron;
    schedule();
  }

  /** Choose a neuron; a second time, none. */
  function onChoose({ layer, neuron }) {
    const { selected } = sceneOf(store);
    const isSame = selected?.layer === layer && selected.neuron === neuron;
    store.set({ selection: isSame ? null : { layer: layer - 1, neuron } });
  }

  function go(change) {
    state = change(state, scene.sizes.length - 1);
    since = performance.now();
    schedule();
  }

  const on = (place, types, listener) => types.forEach((type) => place.addEventListener(type, listener));
  const circle = ({ target }) => {
    const { layer, neuron } = target.closest("button.neuron")?.dataset ?? {};
    return layer && { layer: Number(layer), neuron: Number(neuron) };
  };
  on(playing, ["click"], () => go(state.isPlaying ? pause : play));
  on(find("step"), ["click"], () => go(step));
  on(all, ["click"], () => go(() => LIVE));
  on(view, ["click"], () => store.set({ view: tables.hidden ? "tables" : "picture" }));
  on(stage, ["pointerover", "focusin"], (event) => circle(event) && onPoint(circle(event)));
  on(stage, ["pointerout", "focusout"], (event) => circle(event) && onPoint(null));
  on(stage, ["click"], (event) => circle(event) && onChoose(circle(event)));
  on(stage, ["keydown"], moveFocus);
  on(isStill, ["change"], () => go(() => LIVE));
  new ResizeObserver(schedule).observe(stage);
  store.watch(KEYS, schedule);
}

function stepWords({ network, activations, sizes, shape, labelNames, label }, layer) {
  if (!activations || layer >= sizes.length) return "Live: it follows the drawing. Step through it, layer by layer.";
  const [last, count] = [sizes.length - 1, sizes[layer].toLocaleString("en")];
  const where = `${layer + 1} of ${sizes.length}:`;
  const input = shape ? "pixels light up: each holds how bright it is" : "inputs hold their numbers";
  if (!layer) return `${where} the ${count} ${input}.`;
  const squish = network ? ` and squishes the sum (${network.layers[layer - 1].activation})` : "";
  const answer = layer === last ? ` The brightest is the answer: ${labelNames[label]}.` : "";
  return `${where} each of the ${count} neurons adds up weight times activation, adds its bias${squish}.${answer}`;
}

function readoutWords({ network, activations, layerName, neuronName }, pointed, problem) {
  if (!activations) return "";
  if (!pointed) {
    if (!network) return `Without lines: the weights are not to be had. ${problem}`;
    return "Point at a neuron to read it; press it to look inside.";
  }
  const { layer, neuron } = pointed;
  const value = decimal(activations[layer][neuron], 4);
  if (!layer) return `${neuronName(0, neuron)}: ${value}`;
  const name = `${layerName(layer)}, ${neuronName(layer, neuron)}`;
  if (!network) return `${name}: ${value}`;
  const own = network.layers[layer - 1];
  return `${name}: ${own.activation}(${signed(own.sums(activations[layer - 1])[neuron], 3)}) = ${value}`;
}

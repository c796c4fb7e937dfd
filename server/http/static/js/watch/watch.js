/** Watch the network: its picture, live or layer by layer, or the same as tables. */

import { weightedSum } from "../inspect/terms.js";
import { findVersion } from "../models/list.js";
import { decimal, signed } from "./numbers.js";
import { createPicture } from "./picture.js";
import * as steps from "./steps.js";
import { createTables } from "./tables.js";
import { inputName, layerName, neuronName, stepSentence } from "./words.js";

const KEYS = ["network", "networkProblem", "altered", "pixels", "answer", "selection", "view", "palette", "theme"];
const LIVE_WORDS = "Live: it follows the drawing. Step through it, layer by layer.";
const POINT_WORDS = "Point at a neuron to read it; press it to look inside.";

export function start({ store, root }) {
  const find = (name) => root.querySelector(`[data-part=${name}]`);
  const [stage, tables, sentence, readout] = ["stage", "tables", "sentence", "readout"].map(find);
  const [play, next, all, view] = ["play", "step", "live", "view"].map(find);
  const isStill = matchMedia("(prefers-reduced-motion: reduce)");
  const showTables = createTables(tables, onChoose);
  let state = steps.LIVE;
  let pointed = null;
  let picture = null;
  let pictured = "";
  let frame = 0;
  let since = 0;

  const last = () => sceneOf(store).sizes.length - 1;

  function render(now) {
    frame = 0;
    if (state.isPlaying) {
      state = steps.advance(state, Math.max(0, now - since) / 1000, last());
      since = now;
      if (state.isPlaying) schedule();
    }
    const scene = { ...sceneOf(store), pointed, state };
    const isTables = store.get("view") === "tables";
    if (!isTables) showPicture(scene);
    else showTables(scene);
    stage.hidden = isTables;
    tables.hidden = !isTables;
    view.setAttribute("aria-pressed", isTables);
    showControls(scene);
  }

  function showPicture(scene) {
    stage.hidden = false;
    const key = JSON.stringify([stage.clientWidth, scene.sizes, scene.shape, scene.labelNames]);
    if (key !== pictured) {
      picture = createPicture(stage, scene, { onPoint, onChoose });
      pictured = key;
    }
    picture.update(scene);
  }

  function showControls(scene) {
    const isLive = state.layer === Infinity;
    play.hidden = isStill.matches;
    play.textContent = state.isPlaying ? "Pause" : "Play";
    all.hidden = isLive;
    const layer = Math.min(state.layer, scene.sizes.length - 1);
    const where = `${layer + 1} of ${scene.sizes.length}`;
    say(sentence, isLive || !scene.activations ? LIVE_WORDS : `${where}: ${stepSentence(layer, scene)}`);
    say(readout, pointed && scene.activations ? readoutOf(pointed, scene) : scene.network ? POINT_WORDS : scene.problem);
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
    const old = store.get("selection");
    const isSame = old?.layer === layer && old.neuron === neuron;
    store.set({ selection: isSame ? null : { layer, neuron } });
  }

  function go(changed) {
    state = changed;
    since = performance.now();
    schedule();
  }

  play.addEventListener("click", () => go(state.isPlaying ? steps.pause(state) : steps.play(state, last())));
  next.addEventListener("click", () => go(steps.step(state, last())));
  all.addEventListener("click", () => go(steps.LIVE));
  view.addEventListener("click", () => store.set({ view: store.get("view") === "tables" ? "picture" : "tables" }));
  isStill.addEventListener("change", () => go(steps.LIVE));
  new ResizeObserver(schedule).observe(stage);
  store.watch(KEYS, schedule);
}

/** What is to be shown: the network that answers, its activations with the input's, and their names. */
function sceneOf(store) {
  const network = store.get("altered") ?? store.get("network");
  const [pixels, answer] = [store.get("pixels"), store.get("answer")];
  const known = answer ? [pixels, ...answer.activations] : null;
  const sizes = network
    ? [network.inputs, ...network.layers.map((layer) => layer.neurons)]
    : (known ?? [pixels]).map((layer) => layer.length);
  const fits = known && known.length === sizes.length && known.every((layer, index) => layer.length === sizes[index]);
  const labelNames = network?.labelNames ?? answer?.labelNames ?? [];
  return {
    network,
    sizes,
    labelNames,
    shape: network ? network.shape : shapeOfModel(store),
    activations: fits ? known : null,
    label: fits ? answer.label : -1,
    answer: fits ? labelNames[answer.label] : "",
    selection: store.get("selection"),
    problem: answer ? `Without lines: the weights are not to be had. ${store.get("networkProblem")}` : "",
  };
}

/** Rows and columns of the chosen model's images, as the list of models has them, or null. */
function shapeOfModel(store) {
  const layout = findVersion(store.get("models"), store.get("model"), store.get("version"))?.image_layout;
  return layout ? [layout.rows, layout.columns] : null;
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function readoutOf({ layer, neuron }, { network, sizes, shape, activations, labelNames }) {
  const value = activations[layer + 1][neuron];
  if (layer < 0) return `${inputName(neuron, shape)}: ${decimal(value, 3)}`;
  const count = sizes.length - 1;
  const name = `${layerName(layer, count)}, ${neuronName(layer, neuron, { count, labelNames })}`;
  if (!network) return `${name}: ${decimal(value, 4)}`;
  const { activation, biases } = network.layers[layer];
  const sum = weightedSum(network.layers[layer], neuron, activations[layer]) + biases[neuron];
  return `${name}: ${activation}(${signed(sum, 3)}) = ${decimal(value, 4)}`;
}

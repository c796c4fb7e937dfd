/** Watch the network: its picture, live or layer by layer, or the same as tables. */

import { weightedSum } from "../inspect/terms.js";
import { decimal, signed } from "./numbers.js";
import { createPicture } from "./picture.js";
import * as steps from "./steps.js";
import { showTables } from "./tables.js";
import { inputName, layerName, neuronName, stepSentence } from "./words.js";

const KEYS = ["network", "altered", "pixels", "answer", "selection", "view", "palette", "theme"];

export function start({ store, root }) {
  const find = (name) => root.querySelector(`[data-part=${name}]`);
  const [stage, tables, sentence, readout] = ["stage", "tables", "sentence", "readout"].map(find);
  const [play, next, all, view] = ["play", "step", "live", "view"].map(find);
  const isStill = matchMedia("(prefers-reduced-motion: reduce)");
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
    else showTables(tables, scene);
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
    const words = isLive || !scene.activations ? "" : `${layer + 1} of ${scene.sizes.length}: ${stepSentence(layer, scene)}`;
    if (sentence.textContent !== words) sentence.textContent = words;
    const text = pointed && scene.activations ? readoutOf(pointed, scene) : "";
    if (readout.textContent !== text) readout.textContent = text;
  }

  function schedule() {
    frame ||= requestAnimationFrame(render);
  }

  function onPoint(neuron) {
    pointed = neuron;
    schedule();
  }

  function onChoose(selection) {
    store.set({ selection });
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
    shape: network?.shape ?? null,
    activations: fits ? known : null,
    label: fits ? answer.label : -1,
    answer: fits ? labelNames[answer.label] : "",
    selection: store.get("selection"),
  };
}

function readoutOf({ layer, neuron }, { network, sizes, shape, activations, labelNames }) {
  const value = activations[layer + 1][neuron];
  if (layer < 0) return `${inputName(neuron, shape)}: ${decimal(value, 3)}`;
  const count = sizes.length - 1;
  const name = `${layerName(layer, count)}, ${neuronName(layer, neuron, { count, labelNames })}`;
  if (!network) return `${name}: ${decimal(value, 4)}`;
  const { activation, biases } = network.layers[layer];
  const sum = weightedSum(network.layers[layer], neuron, activations[layer]) + biases[neuron];
  return `${name}: ${activation}(${signed(sum, 3)}) = ${decimal(value, 4)}. Click it to look inside.`;
}

/** The way of an image through the layers: which is lit last, and how far it is. */

const SECONDS_A_LAYER = 1.1;

/** All layers are lit, and follow the drawing. */
export const LIVE = { layer: Infinity, progress: 1, isPlaying: false };

/** One layer further, from the input to the last layer, and then from the start. */
export function step({ layer }, last) {
  return { layer: layer >= last ? 0 : layer + 1, progress: 1, isPlaying: false };
}

/** Go on by itself, from the start when it is at the end. */
export function play({ layer, progress }, last) {
  return layer < last ? { layer, progress, isPlaying: true } : { layer: 0, progress: 0, isPlaying: true };
}

/** Stand still. */
export const pause = (state) => ({ ...state, isPlaying: false });

/** So many seconds later. */
export function advance({ layer, progress }, seconds, last) {
  const next = progress + seconds / SECONDS_A_LAYER;
  if (next < 1) return { layer, progress: next, isPlaying: true };
  return layer < last ? { layer: layer + 1, progress: 0, isPlaying: true } : LIVE;
}

const share = (state, layer, begin, end) =>
  layer === state.layer ? Math.min(1, Math.max(0, (state.progress - begin) / (end - begin))) : Number(layer < state.layer);

/** How much of the lines to a layer is painted, and then how brightly it is lit, from 0 to 1. */
export const reach = (state, layer) => share(state, layer, 0, 0.6);
export const light = (state, layer) => share(state, layer, 0.5, 0.85);

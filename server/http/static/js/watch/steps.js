/** The way of an image through the layers, one after the other: what is lit, and how far the next one is. */

const SECONDS_A_LAYER = 1.1;

/** All layers are lit, and follow the drawing. */
export const LIVE = Object.freeze({ layer: Infinity, progress: 1, isPlaying: false });

/** One layer further, from the pixels (layer 0) to the outputs (layer `last`), and then from the start. */
export function step({ layer }, last) {
  return { layer: layer >= last ? 0 : layer + 1, progress: 1, isPlaying: false };
}

/** Go on by itself from where it stands, or from the start. */
export function play({ layer, progress }, last) {
  const isAtEnd = layer >= last;
  return { layer: isAtEnd ? 0 : layer, progress: isAtEnd ? 0 : progress, isPlaying: true };
}

/** Stand still. */
export function pause(state) {
  return { ...state, isPlaying: false };
}

/** So many seconds later. */
export function advance({ layer, progress }, seconds, last) {
  const next = progress + seconds / SECONDS_A_LAYER;
  if (next < 1) return { layer, progress: next, isPlaying: true };
  return layer < last ? { layer: layer + 1, progress: 0, isPlaying: true } : LIVE;
}

/** How much of the lines that lead to a layer is painted, from 0 to 1. */
export function reach({ layer, progress }, index) {
  if (index !== layer) return index < layer ? 1 : 0;
  return Math.min(1, progress / 0.6);
}

/** How brightly a layer is lit, from 0 to 1. */
export function light({ layer, progress }, index) {
  if (index !== layer) return index < layer ? 1 : 0;
  return Math.min(1, Math.max(0, (progress - 0.5) / 0.35));
}

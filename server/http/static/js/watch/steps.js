/** The way of an image through the layers: which is lit last, and how far it is. */

const SECONDS_A_LAYER = 1.1;

/** All layers are lit, and follow the drawing. */
export const LIVE = { layer: Infinity, progress: 1, isPlaying: false };

/** One layer further, from the input (0) to the last layer, and then from the start. */
export const step = ({ layer }, last) => ({ ...LIVE, layer: layer < last ? layer + 1 : 0 });

/** Go on by itself, from the start when it is at the end. */
export const play = (state, last) => ({ ...(state.layer < last ? state : { layer: 0, progress: 0 }), isPlaying: true });

/** Stand still. */
export const pause = (state) => ({ ...state, isPlaying: false });

/** So many seconds later, while it plays. */
export function advance(state, seconds, last) {
  const progress = state.progress + seconds / SECONDS_A_LAYER;
  if (progress < 1) return { ...state, progress };
  return state.layer < last ? { ...state, layer: state.layer + 1, progress: 0 } : LIVE;
}

function share(state, layer, begin, end) {
  if (layer !== state.layer) return Number(layer < state.layer);
  return Math.min(1, Math.max(0, (state.progress - begin) / (end - begin)));
}

/** How much of the lines to a layer is painted, and then how brightly it is lit, from 0 to 1. */
export const reach = (state, layer) => share(state, layer, 0, 0.6);
export const light = (state, layer) => share(state, layer, 0.5, 0.85);

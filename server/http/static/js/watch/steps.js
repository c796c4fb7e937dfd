/** The way of an image through the layers: a time in layers, of which each takes one. */

/** All layers are lit, and follow the drawing. */
export const LIVE = Infinity;

/** The layer that is lit last. */
export const layerAt = (time) => Math.max(0, Math.ceil(time) - 1);

const share = (time, begin, end) => Math.min(1, Math.max(0, (time - begin) / (end - begin)));

/** How much of the lines to a layer is painted, and then how brightly it is lit, from 0 to 1. */
export const reach = (time, layer) => share(time - layer, 0, 0.6);
export const light = (time, layer) => share(time - layer, 0.5, 0.85);

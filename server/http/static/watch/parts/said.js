/** What the versions see and say, a card each: labels, how sure they are, and how far that is from their training. */

import { element, say } from "../../js/elements.js";
import { shareBars } from "../charts/bars.js";
import { formatNumber } from "../charts/format.js";
import { titleOf } from "./words.js";

/** A Population Stability Index of 0.1 is worth a look, one of 0.25 is drift. */
const DRIFT = [[0.25, "drift"], [0.1, "worth a look"], [-Infinity, "as trained"]];
const SPREAD = ["p10", "p50", "p90"];

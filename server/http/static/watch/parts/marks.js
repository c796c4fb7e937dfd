/** Notes what a chart should be read with: a server or a worker that began anew, versions that came and went. */

import { KEPT_SECONDS } from "../data/history.js";
import { START } from "../data/kept.js";

const PARENT = "parent";

export class Marks {
  #starts = new Map();
  #versions = null;
  /** {time, letter, label} each, as charts take them. */
  list = [];

  /** Note what a Look tells of its end. Returns when the server was restarted since the one before, else null. */
  note(look) {
    const starts = look.values(START, "worker");
    const anew = [...starts.keys()].filter((worker) => {
      const before = this.#starts.get(worker);
      return before !== undefined && before !== starts.get(worker);
    });
    this.#starts = new Map([...this.#starts, ...starts]);
    const isRestarted = anew.includes(PARENT);
    if (isRestarted) {
      this.#add(look, "S", "Server restarted");
      this.#versions = null;
    } else {
      for (const worker of anew) {
        this.#add(look, "W", worker === "http" ? "HTTP's process replaced" : `Worker ${worker} replaced`);
      }
    }
    this.#noteVersions(look);
    this.list = this.list.filter(({ time }) => time > look.time - KEPT_SECONDS);
    return isRestarted ? starts.get(PARENT) : null;
  }

  #noteVersions(look) {
    // What a worker has that is not ready is not known.
    if (look.value("mlpserve_workers_ready") < look.value("mlpserve_workers")) return;
    const names = new Set(look.facts("mlpserve_model_info").map(({ labels }) => `${labels.model} ${labels.version}`));
    const before = this.#versions ?? names;
    for (const name of names) if (!before.has(name)) this.#add(look, "V", `Version loaded: ${name}`);
    for (const name of before) if (!names.has(name)) this.#add(look, "V", `Version unloaded: ${name}`);
    this.#versions = names;
  }

  #add({ time }, letter, label) {
    this.list.push({ time, letter, label });
  }
}

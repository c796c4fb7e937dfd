/** Calls the server's typed API. */

const MAX_MILLISECONDS = 15_000;

/** The server has refused a request, or can't be reached (status 0). */
export class ApiError extends Error {
  constructor(status, message, content = {}, retryAfterSeconds = 0) {
    super(message);
    this.status = status;
    this.content = content;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

let token = sessionStorage.getItem("token") ?? "";

/** Send a token with each call from now on, in this tab alone. */
export function setToken(text) {
  token = text;
  sessionStorage.setItem("token", text);
}

/** Whether a token is sent: then other callers need one too. */
export function hasToken() {
  return token !== "";
}

/** The path of a model and version, below /v1. */
export function pathOf(model, version) {
  return model ? `/v1/models/${encodeURIComponent(model)}${version ? `/versions/${version}` : ""}` : "/v1";
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.authorization = `Bearer ${token}`;
  const signals = [AbortSignal.timeout(MAX_MILLISECONDS), ...(options.signal ? [options.signal] : [])];
  let response;
  let text;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.any(signals) });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the server can't be reached");
  }
  const json = parse(text);
  if (response.ok) return { json, headers: response.headers };
  const wait = response.status === 429 ? Number(response.headers.get("retry-after")) || 1 : 0;
  throw new ApiError(response.status, json.error ?? response.statusText, json, wait);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

export async function listModels() {
  return (await ask("/v1/models")).json;
}

export async function getNetwork(model, version) {
  return (await ask(`${pathOf(model, version)}/network`)).json;
}

/**
 * Have one image classified. Returns an Answer:
 * label (index), activations (an array for each layer after the input, the last one the output),
 * labelNames, model, version, serverMilliseconds (or null), milliseconds, and with `canonicalize`
 * also done ({inverted, scales: [down, right], shifts: [down, right]}) and pixels, as the network saw them.
 */
export async function predict(model, version, pixels, { canonicalize = false, signal } = {}) {
  const begin = performance.now();
  const body = JSON.stringify({
    pixels: Array.from(pixels),
    hidden_activations: true,
    canonicalize,
    canonical_pixels: canonicalize,
  });
  const { json, headers } = await ask(`${pathOf(model, version)}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal,
  });
  const timing = /total;dur=([\d.]+)/.exec(headers.get("server-timing") ?? "");
  const done = json.canonicalization;
  return {
    source: "server",
    label: json.labels[0],
    activations: [...(json.hidden_layers ?? []).map((layer) => layer[0]), json.activations[0]],
    labelNames: json.label_names,
    model: json.model,
    version: json.version,
    serverMilliseconds: timing ? Number(timing[1]) : null,
    milliseconds: performance.now() - begin,
    done: done
      ? { inverted: done.inverted[0], scales: done.scales[0], shifts: done.shifts[0] }
      : null,
    pixels: done ? Float32Array.from(done.pixels[0]) : null,
  };
}

/** Calls the server's typed API. */

const MAX_MILLISECONDS = 15_000;

/** The server has refused a request, or can't be reached (status 0). */
export class ApiError extends Error {
  constructor(status, message, retryAfterSeconds = 0) {
    super(message);
    Object.assign(this, { status, retryAfterSeconds });
  }
}

/** Send a token with each call from now on, in this tab alone. */
export const setToken = (token) => sessionStorage.setItem("token", token);

/** Whether a token is sent: then other callers need one too. */
export const hasToken = () => Boolean(sessionStorage.getItem("token"));

async function ask(path, options = {}, headers = {}) {
  const signals = [AbortSignal.timeout(MAX_MILLISECONDS), ...(options.signal ? [options.signal] : [])];
  if (hasToken()) headers.authorization = `Bearer ${sessionStorage.getItem("token")}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.any(signals) });
    if (response.ok) return { json: await response.json(), headers: response.headers };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the server can't be reached");
  }
  const { status, statusText } = response;
  const { error = statusText } = await response.json().catch(() => ({}));
  throw new ApiError(status, error, status === 429 ? Number(response.headers.get("retry-after")) || 1 : 0);
}

const pathOf = (model, version) => `/v1/models/${encodeURIComponent(model)}/versions/${version}`;

export const listModels = async () => (await ask("/v1/models")).json;

export const getNetwork = async (model, version) => (await ask(`${pathOf(model, version)}/network`)).json;

/**
 * Have one image classified. Returns an Answer: label (index), activations (an array for each layer after the input),
 * labelNames, model, version, milliseconds, those of the server if it says so, and with `canonicalize` what was `done`
 * ({inverted, scales: [down, right], shifts: [down, right]}) and the pixels as the network saw them.
 */
export async function predict({ model, version, pixels, canonicalize = false }, signal) {
  const begin = performance.now();
  const wanted = { hidden_activations: true, canonicalize, canonical_pixels: canonicalize };
  const body = JSON.stringify({ pixels: Array.from(pixels), ...wanted });
  const path = `${pathOf(model, version)}/predict`;
  const { json, headers } = await ask(path, { method: "POST", body, signal }, { "content-type": "application/json" });
  const [, total] = /total;dur=([\d.]+)/.exec(headers.get("server-timing")) ?? [];
  const { inverted, scales, shifts, pixels: seen } = json.canonicalization ?? {};
  return {
    source: "server",
    label: json.labels[0],
    activations: [...(json.hidden_layers ?? []), json.activations].map(([image]) => image),
    labelNames: json.label_names,
    model: json.model,
    version: json.version,
    serverMilliseconds: total && Number(total),
    milliseconds: performance.now() - begin,
    ...(seen && {
      done: { inverted: inverted[0], scales: scales[0], shifts: shifts[0] },
      pixels: Float32Array.from(seen[0]),
    }),
  };
}

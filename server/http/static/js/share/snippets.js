/** Lines that ask a server for one image, for a terminal or a program. */

import { toBase64 } from "./bytes.js";

const ANYWHERE = /^(0\.0\.0\.0|\[::\])(?=:\d+$)/;

/**
 * Lines by name, for {origin, hostname, grpcAddress, isEncrypted, hasToken, model, version, pixels, shape,
 * inputRange}. A token is read from the environment: it is not to be copied about.
 */
export function linesOf(asked) {
  const image = imageOf(asked);
  return { curl: curl(asked, image), grpcurl: grpcurl(asked, image), Python: python(asked, image) };
}

function curl({ origin, hasToken, model, version }, image) {
  const url = `${origin}/v1/models/${encodeURIComponent(model)}/versions/${version}/predict`;
  return [
    `curl ${quote(url)} -H 'content-type: application/json' \\`,
    ...bearer(hasToken),
    `  -d ${quote(`{${image.json}}`)}`,
  ].join("\n");
}

function grpcurl({ isEncrypted, hasToken, model, version, ...asked }, image) {
  const address = reachable(asked);
  const [, path] = /^unix:(?:\/\/)?(.*)/.exec(address) ?? [];
  const flags = `${isEncrypted ? "" : " -plaintext"}${path ? " -unix" : ""}`;
  return [
    `grpcurl${flags} \\`,
    ...bearer(hasToken),
    `  -d ${quote(`{"model": ${JSON.stringify(model)}, "version": ${version}, ${image.json}}`)} \\`,
    `  ${quote(path ?? address)} mlpserve.v1.Classifier/Predict`,
  ].join("\n");
}

function python({ isEncrypted, hasToken, model, version, ...asked }, image) {
  const trust = isEncrypted ? ", tls=Tls()" : "";
  // Without TLS the client sends a token only if told so.
  const token = hasToken
    ? `, token=os.environ["MLPSERVE_TOKEN"]${isEncrypted ? "" : ", plaintext_token=True"}`
    : "";
  return [
    ...(image.python.includes("base64") ? ["import base64"] : []),
    ...(hasToken ? ["import os"] : []),
    "import numpy as np",
    `from mlpserve import Client${isEncrypted ? ", Tls" : ""}`,
    "",
    `image = ${image.python}`,
    `with Client(${JSON.stringify(reachable(asked))}${trust}${token}) as client:`,
    `    prediction = client.predict(image, model=${JSON.stringify(model)}, version=${version})`,
    "print(prediction.names, prediction.activations)",
  ].join("\n");
}

/** An image as JSON and as Python: bytes, a quarter as long, if these say the same. */
function imageOf({ pixels, shape, inputRange }) {
  const levels = Uint8Array.from(pixels, (x) => Math.round(255 * x));
  if (shape && inputRange === "[0, 1]" && pixels.every((x, at) => Math.fround(levels[at] / 255) === x)) {
    const text = toBase64(levels);
    return {
      json: `"pixels_u8": "${text}"`,
      python: `np.frombuffer(base64.b64decode("${text}"), np.uint8).reshape(${shape.join(", ")})`,
    };
  }
  const numbers = `[${Array.from(pixels, shortest).join(", ")}]`;
  return { json: `"pixels": ${numbers}`, python: `np.array(${numbers}, np.float32)` };
}

/** The shortest text of a float32. */
function shortest(x) {
  for (let digits = 6; digits < 9; digits += 1) {
    const rounded = Number(x.toPrecision(digits));
    if (Math.fround(rounded) === x) return String(rounded);
  }
  return String(Number(x.toPrecision(9)));
}

/** Where gRPC listens, as callers of this page find it. */
function reachable({ grpcAddress, hostname }) {
  return grpcAddress.replace(ANYWHERE, hostname);
}

function bearer(hasToken) {
  return hasToken ? ['  -H "authorization: Bearer $MLPSERVE_TOKEN" \\'] : [];
}

function quote(text) {
  return /^[\w:/.,%[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

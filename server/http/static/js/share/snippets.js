/** Lines that ask a server for one image, for a terminal or a program. */

import { pathOf } from "../api.js";
import { toBase64 } from "./link.js";

/**
 * Lines by name, for {origin, hostname, grpcAddress, isEncrypted, hasToken, model, version, pixels, shape,
 * inputRange}. A token is read from the environment: it is not to be copied about.
 */
export function linesOf({ origin, hostname, grpcAddress, isEncrypted, hasToken, model, version, ...image }) {
  const { json, python } = formsOf(image);
  const name = JSON.stringify(model);
  // What listens everywhere is where the page was found.
  const address = grpcAddress.replace(/^(0\.0\.0\.0|\[::\])(?=:\d+$)/, hostname);
  const path = /^unix:(?:\/\/)?(.*)/.exec(address)?.[1];
  const bearer = hasToken && '  -H "authorization: Bearer $MLPSERVE_TOKEN" \\';
  const options = [
    JSON.stringify(address),
    isEncrypted && "tls=Tls()",
    hasToken && 'token=os.environ["MLPSERVE_TOKEN"]',
    // Without TLS the client sends a token only if told so.
    hasToken && !isEncrypted && "plaintext_token=True",
  ];
  return {
    curl: lines(
      `curl ${quote(`${origin}${pathOf(model, version)}/predict`)} -H 'content-type: application/json' \\`,
      bearer,
      `  -d ${quote(`{${json}}`)}`,
    ),
    grpcurl: lines(
      `grpcurl${isEncrypted ? "" : " -plaintext"}${path ? " -unix" : ""} \\`,
      bearer,
      `  -d ${quote(`{"model": ${name}, "version": ${version}, ${json}}`)} \\`,
      `  ${quote(path ?? address)} mlpserve.v1.Classifier/Predict`,
    ),
    Python: lines(
      python.includes("base64") && "import base64",
      hasToken && "import os",
      "import numpy as np",
      `from mlpserve import Client${isEncrypted ? ", Tls" : ""}`,
      "",
      `image = ${python}`,
      `with Client(${options.filter(Boolean).join(", ")}) as client:`,
      `    prediction = client.predict(image, model=${name}, version=${version})`,
      "print(prediction.names, prediction.activations)",
    ),
  };
}

const lines = (...parts) => parts.filter((part) => part !== false).join("\n");

/** An image as JSON and as Python: bytes, a quarter as long, if these say the same. */
function formsOf({ pixels, shape, inputRange }) {
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

/** The shortest number that is this one as a float32. */
function shortest(x) {
  return [6, 7, 8, 9].map((digits) => Number(x.toPrecision(digits))).find((short) => Math.fround(short) === x);
}

const quote = (text) => (/^[\w:/.,%-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);

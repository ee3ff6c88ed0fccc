/** Fetch over HTTP: one connection for each request; an incomplete response is an error. */
import { get } from "node:http";

/** The server was unreachable, or its response was incomplete, late, or not 200. */
export class NotAnswered extends Error {}

/**
 * GET a page; reject with NotAnswered unless the response is complete. Its status may be any.
 * @param {number} port
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {AbortSignal} [signal]
 * @returns {Promise<{status: number, body: string}>}
 */
export function request(port, path, headers, signal) {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, headers, signal, agent: false };
    const fail = (error) => reject(new NotAnswered(`${path}: ${error.message}`));
    get(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", fail);
      response.on("close", () => {
        if (!response.complete) return fail(new Error("the response is incomplete"));
        resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
      });
    }).on("error", fail);
  });
}

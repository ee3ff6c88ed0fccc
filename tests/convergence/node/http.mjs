/** Fetching over HTTP: a connection a request, and nothing taken for an answer that is not whole. */
import { get } from "node:http";

/** The server could not be reached, or its answer was cut off, late, or said no. */
export class NotAnswered extends Error {}

/**
 * GET a page; reject with NotAnswered if there is no whole answer. Any status is an answer.
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
        if (!response.complete) return fail(new Error("the answer was cut off"));
        resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
      });
    }).on("error", fail);
  });
}

/**
 * @typedef {{type: string, [field: string]: any}} Frame
 * @typedef {(frame: any) => void} FrameHandler takes a frame of its type; if it throws, the frame
 *   counts as lost and the connection is reopened
 */

/**
 * The handlers of server frames, one for each type.
 *
 * The connection and the subscriptions add theirs; so does each plug-in. A type without a handler
 * is ignored, since newer servers may send types that this client does not know.
 */
export class FrameHandlers {
  /** @type {Map<string, FrameHandler>} */ #handlers = new Map();

  /**
   * Handle the frames of a type.
   * @param {string} frameType
   * @param {FrameHandler} handler
   */
  add(frameType, handler) {
    if (typeof frameType !== "string" || frameType === "") {
      throw new TypeError(`live: expected a frame type, a non-empty string, got ${frameType}`);
    }
    if (typeof handler !== "function") {
      throw new TypeError(`live: expected a function to handle "${frameType}", got ${handler}`);
    }
    if (this.#handlers.has(frameType)) {
      throw new Error(`live: "${frameType}" frames have a handler already: add one for each type`);
    }
    this.#handlers.set(frameType, handler);
  }

  /**
   * Call the handler of a frame's type, if there is one.
   * @param {Frame} frame
   */
  handle(frame) {
    this.#handlers.get(frame.type)?.(frame);
  }
}

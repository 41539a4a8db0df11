/** Lets the worker hear what the page has to say, such as an abort. A timer would cost 4 ms each time. */

/** @returns {Promise<void>} when the messages that had come by now have been heard */
export function yieldToMessages() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

// Before a page's own scripts: keep count of what a view starts and must end. leftovers() says what is still going on.
(() => {
  const listeners = new Map(); // a number for each that is still heard
  const observers = new Set();
  const timers = new Map();
  let count = 0;

  const { addEventListener, removeEventListener } = EventTarget.prototype;
  const same = (one, target, type, listener, capture) =>
    one.target === target && one.type === type && one.listener === listener && one.capture === capture;
  const captures = (options) => (typeof options === "object" ? Boolean(options?.capture) : Boolean(options));
  const forget = (target, type, listener, capture) => {
    for (const [id, one] of listeners) if (same(one, target, type, listener, capture)) listeners.delete(id);
  };
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    const target = this ?? window;
    // What an AbortSignal tells goes when the signal goes.
    if (listener && !(target instanceof AbortSignal) && !options?.signal?.aborted) {
      const id = (count += 1);
      forget(target, type, listener, captures(options));
      listeners.set(id, { target, type, listener, capture: captures(options) });
      if (options?.signal) addEventListener.call(options.signal, "abort", () => listeners.delete(id));
      if (options?.once) addEventListener.call(target, type, () => listeners.delete(id), { once: true });
    }
    return addEventListener.call(target, type, listener, options);
  };
  EventTarget.prototype.removeEventListener = function (type, listener, options) {
    forget(this ?? window, type, listener, captures(options));
    return removeEventListener.call(this ?? window, type, listener, options);
  };

  for (const name of ["MutationObserver", "ResizeObserver", "IntersectionObserver"]) {
    const { observe, disconnect } = window[name].prototype;
    window[name].prototype.observe = function (...all) {
      observers.add(this);
      return observe.apply(this, all);
    };
    window[name].prototype.disconnect = function () {
      observers.delete(this);
      return disconnect.call(this);
    };
  }

  for (const [start, stop, again] of [
    ["setTimeout", "clearTimeout", false],
    ["setInterval", "clearInterval", true],
    ["requestAnimationFrame", "cancelAnimationFrame", false],
  ]) {
    const [begin, end] = [window[start].bind(window), window[stop].bind(window)];
    window[start] = (callback, ...rest) => {
      const id = begin(
        (...all) => {
          if (!again) timers.delete(`${start} ${id}`);
          window.ticks += 1;
          callback(...all);
        },
        ...rest,
      );
      timers.set(`${start} ${id}`, String(callback));
      return id;
    };
    window[stop] = (id) => {
      timers.delete(`${start} ${id}`);
      end(id);
    };
  }

  window.ticks = 0; // how many timers and frames have fired
  window.leftovers = () => ({
    listeners: [...listeners.values()].map(({ target, type }) => `${type} of ${target.localName ?? target.constructor.name}`),
    observers: [...observers].map((one) => one.constructor.name),
    timers: [...timers.keys()].map((id) => `${id.split(" ")[0]}: ${timers.get(id).slice(0, 80)}`),
    animations: document.getAnimations().map((one) => one.constructor.name),
  });
})();

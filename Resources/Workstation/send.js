// Asks the server for actions. Of what comes faster than it is answered (a slider, a held key), only the newest is sent.
'use strict';

window.SpiderSeg = window.SpiderSeg || {};

(function (SpiderSeg) {
  const waiting = new Map();
  const running = new Set();

  // trame sends what was typed only while nothing else is asked for: an action would overtake it, and a comment lose its last letters.
  const { trame } = window;
  const trigger = trame.trigger;

  function sendTyped() {
    const keys = [...trame.state.dirtyKeys];
    if (!keys.length || !trame.client.isConnected()) return;
    trame.state.dirtyKeys.clear();
    const changes = keys.map((key) => ({ key, value: trame.state.get(key) }));
    trame.client.getRemote().Trame.updateState(changes).catch(() => trame.state.dirty(...keys));
  }

  trame.trigger = function (...parts) {
    sendTyped();
    return trigger.apply(trame, parts);
  };

  function failed(error) {
    // A lost connection has its own page; anything else the server has told in words.
    console.debug('no answer', error);
  }

  SpiderSeg.act = function (...parts) {
    return window.trame.trigger('act', parts).catch(failed);
  };

  async function drain(key) {
    if (running.has(key)) return;
    running.add(key);
    while (waiting.has(key)) {
      const parts = waiting.get(key);
      waiting.delete(key);
      await SpiderSeg.act(...parts);
    }
    running.delete(key);
  }

  // The newest value of an action on one thing: latest('slice', 'Yellow', 7).
  SpiderSeg.latest = function (name, target, value) {
    const key = name + ' ' + target;
    waiting.set(key, [name, target, value]);
    drain(key);
  };

  // Steps that add up while one is on its way: add('scroll', 1, 'Yellow').
  SpiderSeg.add = function (name, step, ...rest) {
    const key = [name, ...rest].join(' ');
    const before = waiting.has(key) ? waiting.get(key)[1] : 0;
    if (before + step === 0) waiting.delete(key);
    else waiting.set(key, [name, before + step, ...rest]);
    drain(key);
  };

  SpiderSeg.get = (key) => window.trame.state.get(key);
  SpiderSeg.set = (key, value) => window.trame.state.set(key, value);

  // Calls back whenever one of the keys changes, until the page is left.
  SpiderSeg.watch = function (key, changed) {
    window.trame.state.addListener(({ type, keys }) => {
      if (type === 'dirty-state' && keys.includes(key)) changed(SpiderSeg.get(key));
    });
  };
})(window.SpiderSeg);

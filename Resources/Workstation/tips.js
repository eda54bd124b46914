// One tooltip for the page: what an element carries in data-tip, its keys, and in data-why the reason why it cannot be used.
// An element with aria-disabled="true" gets no click: it shows its reason instead, which is also spoken.
'use strict';

(function (SpiderSeg) {
  const DELAY_MS = 450;
  const GAP_PX = 8;
  let owner = null;
  // Not again after a press until the pointer moves: what comes to lie under a still pointer explains nothing.
  let isArmed = true;
  let timer = 0;

  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.setAttribute('role', 'tooltip');
  tip.id = 'spiderseg-tip';
  tip.hidden = true;
  const spoken = document.createElement('div');
  spoken.className = 'sr-only';
  spoken.setAttribute('role', 'status');
  document.body.append(tip, spoken);

  function carrier(node) {
    return node instanceof Element ? node.closest('[data-tip], [data-why]') : null;
  }

  function fill(element) {
    tip.replaceChildren();
    const words = element.dataset.tip || '';
    const why = element.dataset.why || '';
    const keys = (element.dataset.shortcut || '').split(' ').filter(Boolean);
    if (words) {
      const line = document.createElement('div');
      line.append(words);
      for (const key of keys.slice(0, 1)) {
        const kbd = document.createElement('kbd');
        kbd.textContent = key;
        line.append(' ', kbd);
      }
      tip.append(line);
    }
    if (why) {
      const line = document.createElement('div');
      line.className = 'tip-why';
      line.textContent = why;
      tip.append(line);
    }
    return tip.childElementCount > 0;
  }

  function place(element) {
    const of = element.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const isInRail = Boolean(element.closest('.rail'));
    let left = isInRail ? of.right + GAP_PX : of.left + of.width / 2 - own.width / 2;
    let top = isInRail ? of.top + of.height / 2 - own.height / 2 : of.bottom + GAP_PX;
    if (!isInRail && top + own.height > innerHeight - GAP_PX) top = of.top - own.height - GAP_PX;
    left = Math.max(GAP_PX, Math.min(left, innerWidth - own.width - GAP_PX));
    top = Math.max(GAP_PX, Math.min(top, innerHeight - own.height - GAP_PX));
    tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  function show(element) {
    if (!element.isConnected || !fill(element)) return;
    owner = element;
    tip.hidden = false;
    place(element);
  }

  function hide() {
    clearTimeout(timer);
    owner = null;
    tip.hidden = true;
  }

  function isCut(element) {
    // A tip that only repeats what stands there is for text that is cut off.
    return element.dataset.tip !== element.textContent.trim() || element.scrollWidth > element.clientWidth;
  }

  addEventListener('pointerover', (event) => {
    const element = carrier(event.target);
    if (element === owner) return;
    hide();
    if (element && isArmed && event.pointerType !== 'touch' && isCut(element)) timer = setTimeout(show, DELAY_MS, element);
  });
  addEventListener('pointerdown', () => { isArmed = false; hide(); }, true);
  addEventListener('pointermove', () => { isArmed = true; }, { passive: true });
  addEventListener('focusin', (event) => {
    hide();
    const element = carrier(event.target);
    if (element && element === event.target && element.matches(':focus-visible') && !element.matches('tr, li')) show(element);
  });
  addEventListener('focusout', hide);
  addEventListener('scroll', hide, true);
  addEventListener('resize', hide);
  addEventListener('keydown', (event) => { if (event.key === 'Escape') hide(); }, true);

  SpiderSeg.explain = function (element) {
    show(element);
    spoken.textContent = element.dataset.why || '';
    clearTimeout(timer);
    timer = setTimeout(hide, 4000);
  };

  addEventListener('click', (event) => {
    const element = event.target instanceof Element ? event.target.closest('[aria-disabled="true"]') : null;
    if (!element) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    SpiderSeg.explain(element);
  }, true);
})(window.SpiderSeg);

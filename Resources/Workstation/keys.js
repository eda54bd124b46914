// Keys. One that an element carries in data-shortcut presses it; the others scroll slices and change the brush. Nothing while text is
// typed but Ctrl+S and Esc. What the browser itself does with a key that is ours is kept from happening.
'use strict';

(function (SpiderSeg) {
  const NAMES = { ArrowUp: 'Up', ArrowDown: 'Down', ArrowLeft: 'Left', ArrowRight: 'Right', Escape: 'Esc', ' ': 'Space' };
  const STEPS = { Up: 1, Right: 1, PageUp: 5, Down: -1, Left: -1, PageDown: -5 };
  const NEVER_THE_BROWSERS = new Set(['Ctrl+S', 'Ctrl+P', 'Ctrl+D', 'Ctrl+N', 'F1']);
  const TEXT = 'textarea, select, [contenteditable="true"], input:not([type=checkbox]):not([type=range]):not([type=button])';
  const OWN_KEYS = 'input, select, textarea, button, a, [role=row], [role=tab], [role=menuitem], .v-overlay';

  function nameOf(event) {
    let key = NAMES[event.key] || event.key;
    if (key.length === 1) key = key.toUpperCase();
    const parts = [];
    if (event.ctrlKey || event.metaKey) parts.push('Ctrl');
    if (event.altKey) parts.push('Alt');
    // '?' and '+' need Shift on most keyboards: it belongs to the sign.
    if (event.shiftKey && (key.length > 1 || /[A-Z]/.test(key))) parts.push('Shift');
    parts.push(key);
    return parts.join('+');
  }

  function openDialog() {
    const dialogs = document.querySelectorAll('.v-overlay--active [data-dialog]');
    return dialogs.length ? dialogs[dialogs.length - 1] : null;
  }

  function pressed(name) {
    const scope = openDialog() || document;
    for (const element of scope.querySelectorAll(`[data-shortcut~="${CSS.escape(name)}"]`)) {
      if (element.checkVisibility()) return element;
    }
    return null;
  }

  function press(element) {
    if (element.getAttribute('aria-disabled') === 'true') SpiderSeg.explain(element);
    else element.click();
  }

  // Keys whose button may be out of sight, in another tab of the panel or in a menu: they do what the button does.
  const CALLS = { shiftUp: ['shift', 1], shiftDown: ['shift', -1] };
  const OUT_OF_SIGHT = new Set(['shiftUp', 'shiftDown', 'confirm', 'partial', 'nextUncertain', 'nextFinding', 'merge', 'split', 'redraw',
    'addVertebra', 'addDisc', 'revert', 'removeIslands', 'fillHoles', 'smoothLevel', 'autoWindow']);

  function pressOutOfSight(name) {
    const shortcut = SpiderSeg.get('shortcuts').find((one) => one.key.split(' or ').includes(name));
    if (!shortcut || !OUT_OF_SIGHT.has(shortcut.action)) return false;
    const why = SpiderSeg.get('can')[shortcut.action];
    if (why) SpiderSeg.set('notice', { id: `key ${Date.now()}`, kind: 'info', text: why });
    else SpiderSeg.act(...(CALLS[shortcut.action] || [shortcut.action]));
    return true;
  }

  function leave(event) {
    // Dialogs and menus close by themselves.
    if (document.querySelector('.v-overlay--active')) return false;
    if (event.target.matches(TEXT)) { event.target.blur(); return true; }
    if (SpiderSeg.get('tool') || SpiderSeg.get('prompt')) { SpiderSeg.act('tool', ''); return true; }
    return false;
  }

  function viewOf(target) {
    const frame = target.closest('.layout-grid-item');
    const overlay = frame && frame.querySelector('[data-view]');
    return overlay ? overlay.dataset.view : '';
  }

  // True when the key was ours.
  function handle(name, event) {
    const target = event.target;
    const isTyping = target.matches(TEXT);
    if (name === 'Esc') return leave(event);
    if (isTyping && name !== 'Ctrl+S') return false;
    const hasOwnKeys = Boolean(target.closest(OWN_KEYS));
    if (hasOwnKeys && (name === 'Space' || name in STEPS || name === 'Enter' || name === 'Tab')) return false;
    const element = pressed(name);
    if (element) { press(element); return true; }
    if (openDialog() || SpiderSeg.get('mode') !== 'case') return false;
    if (pressOutOfSight(name)) return true;
    if (name === '0') { SpiderSeg.act('tool', ''); return true; }
    if (name === '+' || name === '=') { SpiderSeg.add('growBrush', 1); return true; }
    if (name === '-') { SpiderSeg.add('growBrush', -1); return true; }
    if (name in STEPS) {
      const view = viewOf(target);
      SpiderSeg.add('scroll', STEPS[name], ...(view ? [view] : []));
      return true;
    }
    return false;
  }

  addEventListener('keydown', (event) => {
    if (event.isComposing || !(event.target instanceof Element)) return;
    const name = nameOf(event);
    if (handle(name, event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    } else if (NEVER_THE_BROWSERS.has(name)) {
      event.preventDefault();
    }
  }, true);

  // The wheel over a view belongs to the view: it neither scrolls nor zooms the page.
  addEventListener('wheel', (event) => {
    if (event.target instanceof Element && event.target.closest('[data-views]')) event.preventDefault();
  }, { passive: false, capture: true });
})(window.SpiderSeg);

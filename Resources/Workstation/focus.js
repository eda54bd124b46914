// Where the keyboard goes: back to where it was when a dialog closes, and to the views when something beside them was used with the mouse,
// so that after a click on a tool Space shows and hides the segmentation and does not press the tool again.
'use strict';

(function (SpiderSeg) {
  const BUTTONS = '.case-page .btn, .case-page .eye, .top-bar .btn:not([aria-haspopup])';
  const CHOICES = '.case-page select, .case-page input[type=checkbox], .case-page input[type=range]';
  let last = null;
  let isPointer = false;

  addEventListener('pointerdown', () => { isPointer = true; }, true);
  addEventListener('keydown', () => { isPointer = false; }, true);

  addEventListener('mousedown', (event) => {
    if (!(event.target instanceof Element) || !event.target.closest(BUTTONS)) return;
    event.preventDefault();
    // A number counts once its field is left.
    if (document.activeElement.matches('input[type=number]')) document.activeElement.blur();
  });

  addEventListener('change', (event) => {
    if (isPointer && event.target instanceof Element && event.target.matches(CHOICES)) event.target.blur();
  });

  addEventListener('focusin', (event) => {
    if (event.target instanceof Element && !event.target.closest('.v-overlay-container')) last = event.target;
  });

  SpiderSeg.watch('dialog', (dialog) => {
    const focused = document.activeElement;
    if (dialog || !last || !last.isConnected) return;
    if (focused === document.body || focused.closest('.v-overlay-container')) setTimeout(() => last.focus({ preventScroll: true }));
  });
})(window.SpiderSeg);

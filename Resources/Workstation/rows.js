// Arrow keys in lists and tables ([data-rows] with [data-row] inside): up and down, Home and End; Enter or Space presses; left and right
// go to the buttons within a table's row. In a list of tabs left and right change the tab.
'use strict';

(function () {
  function rowsOf(list) {
    return [...list.querySelectorAll('[data-row]')].filter((row) => row.checkVisibility());
  }

  function goTo(row, list) {
    if (!row) return false;
    row.focus();
    row.scrollIntoView({ block: 'nearest' });
    if (list.dataset.rows === 'tabs') row.click();
    return true;
  }

  function within(row, target, step) {
    const stops = [row, ...row.querySelectorAll('button')];
    const next = stops[stops.indexOf(target) + step];
    if (next) next.focus();
    return Boolean(next);
  }

  function handle(event, list, row) {
    const rows = rowsOf(list);
    const index = rows.indexOf(row);
    const isTabs = list.hasAttribute('data-rows-horizontal');
    switch (event.key) {
      case 'ArrowDown': return !isTabs && goTo(rows[index + 1], list);
      case 'ArrowUp': return !isTabs && goTo(rows[index - 1], list);
      case 'ArrowRight': return isTabs ? goTo(rows[(index + 1) % rows.length], list) : within(row, event.target, 1);
      case 'ArrowLeft': return isTabs ? goTo(rows[(index + rows.length - 1) % rows.length], list) : within(row, event.target, -1);
      case 'Home': return goTo(rows[0], list);
      case 'End': return goTo(rows[rows.length - 1], list);
      case 'Enter':
      case ' ':
        if (event.target !== row || row.tagName === 'BUTTON') return false;
        row.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, shiftKey: event.shiftKey, ctrlKey: event.ctrlKey }));
        return true;
      default: return false;
    }
  }

  addEventListener('keydown', (event) => {
    if (!(event.target instanceof Element) || event.altKey) return;
    // Into the table of cases from its search, or from nowhere.
    if (event.key === 'ArrowDown' && (event.target === document.body || event.target.closest('[data-search]'))) {
      const row = document.querySelector('[data-rows="cases"] [tabindex="0"]');
      if (row) { row.focus(); event.preventDefault(); }
      return;
    }
    const row = event.target.closest('[data-row]');
    const list = row && row.closest('[data-rows]');
    if (list && handle(event, list, row)) event.preventDefault();
  });
})();

// What the server has made ready for the browser: a page in a tab of its own (`openUrl`), a file to save (`downloadUrl`). Each once.
'use strict';

(function (SpiderSeg) {
  const seen = { openUrl: idOf('openUrl'), downloadUrl: idOf('downloadUrl') };

  function idOf(key) {
    const value = SpiderSeg.get(key);
    return value ? value.id : null;
  }

  function onceEach(key, follow) {
    SpiderSeg.watch(key, (value) => {
      if (!value || value.id === seen[key]) return;
      seen[key] = value.id;
      for (const url of value.urls || [value.url]) follow(url);
    });
  }

  onceEach('openUrl', (url) => {
    // Without a window a browser has kept the page from opening: then there is a link to press.
    if (!window.open(url, '_blank')) SpiderSeg.set('blockedUrl', url);
  });
  onceEach('downloadUrl', (url) => {
    const link = document.createElement('a');
    link.href = url;
    link.download = '';
    link.hidden = true;
    document.body.append(link);
    link.click();
    link.remove();
  });
})(window.SpiderSeg);

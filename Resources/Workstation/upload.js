// Uploads by choosing or dropping: one file, the many files of a DICOM series, or a folder. Progress and errors go to the state `upload`.
'use strict';

(function (SpiderSeg) {
  const SHOW_EVERY_MS = 200;
  let request = null;
  let shownAt = 0;

  function show(state) {
    SpiderSeg.set('upload', state);
  }

  function wordsOf(answer) {
    try {
      return JSON.parse(answer).error || '';
    } catch {
      return '';
    }
  }

  function send(files) {
    const url = SpiderSeg.get('uploadUrl');
    if (!files.length || !url || request) return;
    const name = files.length === 1 ? files[0].name : `${files.length} files`;
    const body = new FormData();
    for (const file of files) body.append('files', file, file.name);
    show({ name, percent: 0, error: '' });
    request = new XMLHttpRequest();
    request.open('POST', url);
    request.upload.addEventListener('progress', (event) => {
      if (!event.lengthComputable || Date.now() - shownAt < SHOW_EVERY_MS) return;
      shownAt = Date.now();
      show({ name, percent: Math.floor((99 * event.loaded) / event.total), error: '' });
    });
    request.upload.addEventListener('load', () => show({ name, percent: 100, error: '' }));
    request.addEventListener('load', () => answered(name));
    request.addEventListener('error', () => ended(name, 'The files did not arrive: SpiderSeg did not answer. Is it still running in the terminal?'));
    request.addEventListener('abort', () => { request = null; show(null); });
    request.send(body);
  }

  function ended(name, error) {
    request = null;
    show(error ? { name, percent: 0, error } : null);
  }

  function answered(name) {
    const { status, responseText } = request;
    if (status < 200 || status >= 300) {
      ended(name, wordsOf(responseText) || `The files were not taken (${status}).`);
      return;
    }
    const answer = JSON.parse(responseText);
    const series = answer.series || [answer];
    if (series.length > 1) {
      request = null;
      show({ name, percent: 100, error: '', series });
      return;
    }
    ended(name, '');
    SpiderSeg.openUploaded(series[0].key);
  }

  SpiderSeg.openUploaded = function (key) {
    show(null);
    SpiderSeg.act('openUploaded', key);
  };

  SpiderSeg.cancelUpload = function () {
    if (request) request.abort();
    else show(null);
  };

  SpiderSeg.chooseFiles = function (isFolder) {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.webkitdirectory = isFolder;
    input.addEventListener('change', () => send([...input.files]));
    input.click();
  };

  function filesOf(entry) {
    return new Promise((resolve) => {
      if (!entry) resolve([]);
      else if (entry.isFile) entry.file((file) => resolve([file]), () => resolve([]));
      else readFolder(entry.createReader(), []).then(resolve);
    });
  }

  // A folder's reader gives a hundred entries at a time, and none when it is through.
  async function readFolder(reader, found) {
    const entries = await new Promise((resolve) => { reader.readEntries(resolve, () => resolve([])); });
    if (!entries.length) return found;
    const files = await Promise.all(entries.map(filesOf));
    return readFolder(reader, found.concat(...files));
  }

  function zone(event) {
    return event.target instanceof Element ? event.target.closest('[data-drop]') : null;
  }

  function mark(target) {
    for (const one of document.querySelectorAll('[data-drop]')) one.toggleAttribute('data-over', one === target);
  }

  addEventListener('dragover', (event) => {
    event.preventDefault();
    mark(zone(event));
    event.dataTransfer.dropEffect = zone(event) ? 'copy' : 'none';
  });
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) mark(null); });
  addEventListener('drop', (event) => {
    event.preventDefault();
    mark(null);
    if (!zone(event)) return;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry());
    Promise.all(entries.map(filesOf)).then((files) => send(files.flat()));
  });

  // What a page that was left in the middle of an upload has left in the state.
  if (SpiderSeg.get('upload')) show(null);
})(window.SpiderSeg);

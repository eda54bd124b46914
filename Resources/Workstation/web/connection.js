// Loaded before trame's client: watches its web socket, and says in words why the page stopped when it closes.
"use strict";

(() => {
  const TAKEN_OVER = 4001;
  const SERVER_ENDED = 1001;
  const LOOK_AGAIN_MS = 2000;
  // The page is not loaded again by itself sooner than this after it was: a connection that never holds must not flicker.
  const CALM_MS = 10000;
  // A page that is being left closes its socket first; then nobody is there to read.
  const LEAVING_MS = 300;

  const ENDED = {
    title: "SpiderSeg has stopped",
    words: "Your work up to the last stroke is kept. Start it again in the terminal with spiderseg workstation, and use the address printed there.",
    button: "Reload",
  };
  const STARTED_ANEW = {
    title: "SpiderSeg was started anew",
    words: "Your work up to the last stroke is kept. Use the new address that was printed in the terminal.",
    button: "Reload",
  };
  const ELSEWHERE = {
    title: "SpiderSeg was opened in another tab or window",
    words: "You can go on there; no work is lost. This page no longer shows anything.",
    button: "Continue here",
  };
  const LOST = {
    title: "The connection to SpiderSeg was lost",
    words: "SpiderSeg is still running and your work is kept. Reload to go on.",
    button: "Reload",
  };

  let cover = null;
  let shown = null;

  function show(notice, act) {
    if (shown === notice) {
      return;
    }
    shown = notice;
    cover?.remove();
    cover = document.createElement("div");
    cover.className = "notice-cover";
    cover.setAttribute("role", "alertdialog");
    cover.setAttribute("aria-labelledby", "spiderseg-notice-title");
    const main = document.createElement("div");
    main.className = "notice";
    const title = document.createElement("h1");
    title.id = "spiderseg-notice-title";
    title.textContent = notice.title;
    const words = document.createElement("p");
    words.textContent = notice.words;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = notice.button;
    button.addEventListener("click", act);
    main.append(title, words, button);
    cover.append(main);
    document.body.append(cover);
    for (const other of document.body.children) {
      other.inert = other !== cover;
    }
    button.focus();
  }

  const reload = () => window.location.reload();

  async function continueHere() {
    try {
      await (await fetch("/web/continue", { method: "POST" })).text();
    } finally {
      reload();
    }
  }

  // "gone" (no server), "other" (one that doesn't know this page), "busy" (another page is open), "free"
  async function look() {
    try {
      const answer = await fetch("/web/status", { cache: "no-store" });
      if (!answer.ok) {
        return "other";
      }
      return (await answer.json()).open ? "busy" : "free";
    } catch {
      return "gone";
    }
  }

  function wasReloadedJustNow() {
    const last = Number(sessionStorage.getItem("spiderseg-reloaded") || 0);
    sessionStorage.setItem("spiderseg-reloaded", String(Date.now()));
    return Date.now() - last < CALM_MS;
  }

  async function explain(code) {
    if (code === TAKEN_OVER) {
      show(ELSEWHERE, continueHere);
      return;
    }
    const found = await look();
    if (found === "busy") {
      reload();
    } else if (found === "free" && code !== SERVER_ENDED) {
      if (wasReloadedJustNow()) {
        show(LOST, reload);
      } else {
        reload();
      }
    } else {
      show(found === "other" ? STARTED_ANEW : ENDED, reload);
      if (found !== "other") {
        setTimeout(() => explain(code), LOOK_AGAIN_MS);
      }
    }
  }

  // trame's client says goodbye over its socket when the page is left, and fails where that is closed.
  let isClosed = false;
  window.addEventListener("beforeunload", (event) => {
    if (isClosed) {
      event.stopImmediatePropagation();
    }
  });

  const NativeSocket = window.WebSocket;
  window.WebSocket = class extends NativeSocket {
    constructor(...parameters) {
      super(...parameters);
      this.addEventListener("close", (event) => {
        isClosed = true;
        setTimeout(() => explain(event.code), LEAVING_MS);
      });
    }
  };
})();

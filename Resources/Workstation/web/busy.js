// The page of a second tab: goes on when the first one is closed, or closes it.
"use strict";

(() => {
  const LOOK_AGAIN_MS = 500;
  const button = document.getElementById("continue");
  const news = document.getElementById("news");

  const open = () => window.location.replace("/");

  function end() {
    button.hidden = true;
    news.textContent = "SpiderSeg has stopped. Start it again in the terminal with spiderseg workstation, and use the address printed there.";
  }

  async function look() {
    let answer;
    try {
      answer = await fetch("/web/status", { cache: "no-store" });
    } catch {
      end();
      return;
    }
    if (!answer.ok || !(await answer.json()).open) {
      open();
      return;
    }
    setTimeout(look, LOOK_AGAIN_MS);
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    news.textContent = "Closing the other one ..";
    try {
      await (await fetch("/web/continue", { method: "POST" })).text();
      open();
    } catch {
      end();
    }
  });
  look();
})();

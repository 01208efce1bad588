// The slider of a replayed day: a line in every plot, the numbers of the legends, and the fleet at that time.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const data = JSON.parse(document.getElementById("replay-data").textContent);
  const slider = document.getElementById("time"), clock = document.getElementById("clock"), when = document.getElementById("when");
  const play = document.getElementById("play");
  const panels = [...document.querySelectorAll(".panel")].map((panel) => ({
    cursor: panel.querySelector(".cursor"),
    axes: panel.querySelector(".axes"),
    outputs: [...panel.querySelectorAll(".legend output")],
  }));
  const cells = [...document.querySelectorAll(".fleet tbody tr")].map((row) => [...row.querySelectorAll("td")]);
  const count = data.times.length;

  function written(value) {
    return value === null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 4 });
  }

  function showCell(cell, fleet, model, region, index) {
    const [active, plus, minus, waiting, bar] = cell.children;
    const some = (kind, sign) => {
      const value = fleet[kind][model][region][index];
      return value ? `${sign}${value.toLocaleString("en")}` : "";
    };
    active.textContent = fleet.active[model][region][index];
    plus.textContent = some("provisioning", "+");
    minus.textContent = some("draining", "−");
    waiting.textContent = some("waiting", "");
    bar.firstElementChild.style.width = `${fleet.utilization[model][region][index]}%`;
  }

  function show(index) {
    slider.value = index;
    clock.textContent = when.textContent = data.times[index];
    slider.setAttribute("aria-valuetext", data.times[index]);
    const at = `${(100 * (index + 0.5)) / count}%`;
    panels.forEach((panel, number) => {
      panel.cursor.setAttribute("x1", at);
      panel.cursor.setAttribute("x2", at);
      panel.cursor.style.visibility = "visible";
      panel.outputs.forEach((output, curve) => { output.textContent = written(data.readouts[number][curve][index]); });
    });
    cells.forEach((row, model) => row.forEach((cell, region) => showCell(cell, data.fleet, model, region, index)));
  }

  let timer = null;
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  function start() {
    if (Number(slider.value) === count - 1) show(0);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      if (Number(slider.value) >= count - 1) stop();
      else show(Number(slider.value) + 1);
    }, 80);
  }

  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  play.addEventListener("click", () => (timer === null ? start() : stop()));
  for (const panel of panels) {
    panel.axes.addEventListener("click", (event) => {
      const box = panel.axes.getBoundingClientRect();
      stop();
      show(Math.min(count - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * count))));
    });
  }
  document.querySelector(".slider").hidden = false;
  show(Number(slider.value));
});

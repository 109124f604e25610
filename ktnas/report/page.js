"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const touch = matchMedia("(pointer: coarse)").matches;
  const narrow = matchMedia("(max-width: 760px)").matches;
  const settings = { responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d"] };

  const escaped = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function number(value) {
    if (value === null || value === undefined) return "–";
    return Math.abs(value) >= 10000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(5)));
  }

  // Name and text of each metric; a predicted one with its deviation, a measured one beside predicted ones marked so.
  function metrics(table, row) {
    const columns = table.metrics;
    return Object.keys(columns).filter((name) => columns[name][row] !== null && !isDeviation(columns, name)).map((name) => {
      const deviation = columns[name + "_std"] ? columns[name + "_std"][row] : null;
      const text = number(columns[name][row]);
      if (deviation === null) return [data.labels[name], text];
      return [data.labels[name], deviation > 0 ? `${text} ± ${Number(deviation.toPrecision(2))} predicted` : `${text} measured`];
    });
  }

  function isDeviation(columns, name) {
    return name.endsWith("_std") && name.slice(0, -4) in columns;
  }

  function wrapped(text, width) {
    const lines = [];
    for (let rest = text; rest; rest = rest.slice(lines[lines.length - 1].length)) {
      if (rest.length <= width) { lines.push(rest); break; }
      const cut = Math.max(...[" ", ",", "|", "-", "+"].map((mark) => rest.lastIndexOf(mark, width - 1)));
      lines.push(rest.slice(0, cut > width / 3 ? cut + 1 : width));
    }
    return lines.length > 8 ? [...lines.slice(0, 7), "…"] : lines;
  }

  function hoverText(table, row) {
    const lines = wrapped(table.architecture[row], narrow ? 34 : 52).map((line) => `<b>${escaped(line)}</b>`);
    for (const [name, value] of metrics(table, row)) lines.push(`${escaped(name)}: ${value}`);
    lines.push(`evaluation ${table.order[row]} of ${escaped(table.run)}`);
    return lines.join("<br>");
  }

  function show(section, tableName, row) {
    const table = data.tables[tableName];
    const drawing = data.drawings[table.key[row]];
    const rows = metrics(table, row).map(([name, value]) => `<tr><td>${escaped(name)}</td><td class="n">${value}</td></tr>`);
    rows.push(`<tr><td>evaluation</td><td class="n">${table.order[row]}</td></tr>`);
    rows.push(`<tr><td>run</td><td class="n">${escaped(table.run)}</td></tr>`);
    section.querySelector(".panel").innerHTML = (drawing
      ? `<div class="drawing">${drawing}</div>`
      : `<h3>${escaped(table.architecture[row])}</h3><p class="note">Only architectures of fronts are drawn.</p>`)
      + `<table>${rows.join("")}</table>`;
    for (const line of section.querySelectorAll(".front tbody tr")) {
      line.classList.toggle("chosen", line.dataset.table === tableName && Number(line.dataset.row) === row);
    }
  }

  function plot(place) {
    const { data: traces, layout } = data.figures[place.id];
    for (const trace of traces) {
      if (!trace.meta) continue;
      const table = data.tables[trace.meta.table];
      trace.text = trace.customdata.map((row) => hoverText(table, row));
      trace.hovertemplate = "%{text}<extra></extra>";
    }
    if (touch) layout.dragmode = false;
    if (narrow) layout.margin = { ...layout.margin, l: 48, r: 6 };
    layout.autosize = true;
    Plotly.newPlot(place, traces, layout, settings);
    place.on("plotly_click", (event) => {
      const point = event.points.find((candidate) => candidate.data.meta);
      if (point) show(place.closest("section"), point.data.meta.table, point.customdata);
    });
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      plot(entry.target);
    }
  }, { rootMargin: "400px" });
  document.querySelectorAll(".plot").forEach((place) => seen.observe(place));

  for (const section of document.querySelectorAll(".contest")) {
    const lines = section.querySelectorAll(".front tbody tr");
    lines.forEach((line) => line.addEventListener("click", () => {
      show(section, line.dataset.table, Number(line.dataset.row));
      if (narrow) section.querySelector(".panel").scrollIntoView({ behavior: "smooth", block: "center" });
    }));
    if (lines.length) show(section, lines[0].dataset.table, Number(lines[0].dataset.row));
    else section.querySelector(".panel").innerHTML = '<p class="note">A click on a point shows its architecture here.</p>';
  }
})();

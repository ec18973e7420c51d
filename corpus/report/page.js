'use strict';
// The script of the page: charts, the legend, sorting, and the viewer. It works on
// the JSON of pageData (page.go) and builds everything from text nodes, never
// from markup.
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

// ---- Elements -------------------------------------------------------------

function fill(e, attributes, children) {
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (v !== undefined && v !== null && v !== false) e.setAttribute(k, v);
  }
  e.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined));
  return e;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
const option = (value, text) => h('option', {value}, text);

// ---- Numbers --------------------------------------------------------------

const isNumber = v => typeof v === 'number' && isFinite(v);
const fixed = (v, decimals) => isNumber(v) ? v.toFixed(decimals) : v === Infinity ? '∞' : '–';
const grouped = v => v.toLocaleString('en-US');
const bppOf = v => v < 0.1 ? fixed(v, 4) : fixed(v, 3);
function speedOf(v) {
  if (!v) return '–';
  return v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v >= 1 ? v.toFixed(2) : v >= 0.001 ? v.toFixed(3) : v.toExponential(1);
}
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
const trim = v => String(Number(v.toPrecision(6)));

// ---- Curves ---------------------------------------------------------------

// An entry is a curve of the journal or a published one: what the legend lists.
// The first have the colours and marks that they have in the plots (plot.go).
const entries = [];
data.curves.forEach((c, index) => {
  if (c.points.length && !c.lossless) entries.push({name: c.name, curve: c, index, on: true});
});
for (const name of data.shown) entries.push({name, published: data.published.find(p => p.name === name), on: true});
data.curves.forEach((c, index) => {
  if (c.points.length && c.lossless) entries.push({name: c.name, curve: c, index, on: true});
});
for (const p of data.published) {
  if (!data.shown.includes(p.name)) entries.push({name: p.name, published: p, on: false});
}
entries.forEach((e, i) => { e.colour = `--c:var(--c${i % 8})`; e.mark = i % 5; });
const drawn = entries.filter(e => !e.curve || !e.curve.lossless);

const state = {metric: data.metrics[0], log: true, from: null, to: null, picture: 0};
const watchers = []; // called after each change of the state
const changed = () => watchers.forEach(f => f());

// seriesOf returns the points of an entry in the current metric.
function seriesOf(e) {
  const m = state.metric.name;
  if (e.published) {
    return e.published.points.filter(p => p[m]).map(p => ({x: p.bpp, y: p[m], tip: () => publishedTip(e.published, p)}));
  }
  return e.curve.points.filter(p => isNumber(p.quality[m])).map(p => ({x: p.bpp, y: p.quality[m], tip: () => pointTip(e.curve, p)}));
}

// pictureSeriesOf does for a single picture.
function pictureSeriesOf(e) {
  if (!e.curve) return [];
  const m = data.metrics.indexOf(state.metric), out = [];
  e.curve.points.forEach((p, i) => {
    const c = data.cells[e.index][i][state.picture];
    if (c.length && isNumber(c[3 + m])) out.push({x: bppOfCell(c, state.picture), y: c[3 + m], tip: () => cellTip(e.curve, p, c)});
  });
  return out.sort((a, b) => a.x - b.x);
}
const bppOfCell = (c, picture) => 8 * c[0] / (data.pictures[picture].width * data.pictures[picture].height);

const list = pairs => h('dl', {}, pairs.filter(p => p[1] !== '–').map(([k, v]) => [h('dt', {}, k), h('dd', {}, v)]));
const nameAndRate = (name, rate) => h('b', {}, rate ? `${name}, ${rate}` : name);

function pointTip(c, p) {
  return [nameAndRate(c.name, p.rate), list([
    ['bpp', bppOf(p.bpp)],
    ...data.metrics.map(m => [m.title, fixed(p.quality[m.name], m.decimals)]),
    ['Encode, decode', p.encode_cpu || p.decode_cpu ? `${speedOf(p.encode_cpu)}, ${speedOf(p.decode_cpu)} MP/s` : '–'],
    ['Pictures', String(c.pictures)],
    ['Failed', p.failed ? String(p.failed) : '–'],
  ]), p.command ? h('code', {}, p.command) : null];
}
function publishedTip(c, p) {
  return [h('b', {}, c.name), list([
    ['bpp', bppOf(p.bpp)], ['PSNR', fixed(p.psnr, 2)], [p.db_of_mean ? 'MS-SSIM, dB of mean' : 'MS-SSIM dB', fixed(p.ms_ssim_db, 2)],
    ['Decoder', c.decoder_macs ? `${grouped(c.decoder_macs)} MAC/pixel` : '–'],
  ]), h('p', {}, ['Published: ' + c.source, c.reference, c.note].filter(Boolean).join('; '))];
}
function cellTip(c, p, cell) {
  return [nameAndRate(c.name, p.rate), list([
    ['bpp', bppOf(bppOfCell(cell, state.picture))], ['Bytes', grouped(cell[0])],
    ...data.metrics.map((m, i) => [m.title, fixed(cell[3 + i], m.decimals)]),
  ]), p.command ? h('code', {}, p.command) : null];
}

// mark draws the sign of an entry.
function mark(kind, x, y, r) {
  switch (kind) {
    case 0: return s('circle', {class: 'mark', cx: x, cy: y, r});
    case 1: return s('rect', {class: 'mark', x: x - r, y: y - r, width: 2 * r, height: 2 * r});
    case 2: return s('path', {class: 'mark', d: `M${x} ${y - r * 1.25}L${x + r * 1.15} ${y + r * .8}H${x - r * 1.15}Z`});
    case 3: return s('circle', {class: 'mark open', cx: x, cy: y, r});
    default: return s('path', {class: 'mark open', d: `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`});
  }
}

// ---- Chart ----------------------------------------------------------------

// linearTicks returns round numbers from low to high, about n of them.
function linearTicks(low, high, n) {
  const raw = (high - low) / n, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(v => v * power).find(v => v >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
  return ticks;
}

// logTicks returns 1, 2 and 5 times powers of ten, or round numbers if that are
// too few.
function logTicks(low, high, n) {
  const ticks = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
    for (const m of [1, 2, 5]) {
      const v = m * 10 ** e;
      if (v >= low * .999 && v <= high * 1.001) ticks.push(v);
    }
  }
  return ticks.length < 3 ? linearTicks(low, high, n) : ticks;
}

// chart draws the entries that are on into host, as get(entry) has their points.
function chart(host, label, get) {
  const tip = h('div', {class: 'tip', role: 'status', hidden: ''});
  let points = []; // all that are drawn: {x, y, px, py, entry, tip}
  let active = null, view = null, svg = null;

  function draw() {
    const width = host.clientWidth;
    if (!width) return;
    const height = Math.round(clamp(width * .62, 300, 540));
    const all = drawn.filter(e => e.on).map(e => ({entry: e, points: get(e).filter(p => p.x > 0)})).filter(l => l.points.length);
    hideTip();
    // The range is that of the journal's curves unless there are none.
    const measured = all.filter(l => l.entry.curve);
    const xs = (measured.length ? measured : all).flatMap(l => l.points.map(p => p.x));
    if (!xs.length) {
      svg = view = null;
      points = [];
      host.replaceChildren(h('p', {class: 'empty'}, 'No curve is chosen that has this metric.'));
      return;
    }
    let low = state.from ?? (state.log ? Math.min(...xs) * .93 : 0), high = state.to ?? Math.max(...xs) * (state.log ? 1.07 : 1.02);
    if (!(low < high)) high = low * 1.1 + 1e-3;
    const inside = all.flatMap(l => l.points.filter(p => p.x >= low && p.x <= high).map(p => p.y));
    const ys = inside.length ? inside : all.flatMap(l => l.points.map(p => p.y));
    let bottom = Math.min(...ys), top = Math.max(...ys);
    const margin = Math.max((top - bottom) * .04, 10 ** -state.metric.decimals);
    bottom -= margin;
    top += margin;
    // The labels of the y axis say how much room they need.
    const yTicks = linearTicks(bottom, top, 7);
    const decimals = clamp(Math.ceil(-Math.log10(yTicks[1] - yTicks[0]) - 1e-9), 0, 6) || 0;
    const widest = Math.max(...yTicks.map(v => v.toFixed(decimals).length));
    const box = {left: 33 + 7 * widest, right: width - 12, top: 10, bottom: height - 44};
    const scale = state.log ? Math.log : v => v;
    const X = x => box.left + (scale(x) - scale(low)) / (scale(high) - scale(low)) * (box.right - box.left);
    const Y = y => box.bottom - (y - bottom) / (top - bottom) * (box.bottom - box.top);
    view = {
      box,
      invert: px => {
        const v = scale(low) + (px - box.left) / (box.right - box.left) * (scale(high) - scale(low));
        return state.log ? Math.exp(v) : v;
      },
    };

    const clip = 'clip-' + host.id;
    svg = s('svg', {viewBox: `0 0 ${width} ${height}`, height, tabindex: 0, role: 'group', 'aria-label': `${label}: ${state.metric.title} over bits per pixel. Arrow keys walk along the points.`},
      s('clipPath', {id: clip}, s('rect', {x: box.left - 6, y: box.top - 6, width: box.right - box.left + 12, height: box.bottom - box.top + 12})));
    const wanted = Math.max(3, Math.floor(width / 110));
    for (const v of (state.log ? logTicks : linearTicks)(low, high, wanted)) {
      if (v < low || v > high) continue;
      svg.append(s('line', {class: 'grid', x1: X(v), x2: X(v), y1: box.top, y2: box.bottom}),
        s('text', {x: X(v), y: box.bottom + 17, 'text-anchor': 'middle'}, trim(v)));
    }
    for (const v of yTicks) {
      svg.append(s('line', {class: 'grid', x1: box.left, x2: box.right, y1: Y(v), y2: Y(v)}),
        s('text', {x: box.left - 7, y: Y(v) + 4, 'text-anchor': 'end'}, v.toFixed(decimals)));
    }
    svg.append(s('rect', {class: 'frame', x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top}),
      s('text', {class: 'axis-title', x: (box.left + box.right) / 2, y: height - 6, 'text-anchor': 'middle'}, 'bits per pixel' + (state.log ? ' (log)' : '')),
      s('text', {class: 'axis-title', transform: `translate(13 ${(box.top + box.bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle'},
        state.metric.title + (state.metric.unit && !state.metric.title.includes(state.metric.unit) ? ` (${state.metric.unit})` : '')));

    points = [];
    const lines = s('g', {'clip-path': `url(#${clip})`});
    for (const l of all) {
      const g = s('g', {class: 'curve' + (l.entry.published ? ' published' : ''), style: l.entry.colour});
      g.append(s('path', {d: l.points.map((p, i) => (i ? 'L' : 'M') + X(p.x).toFixed(1) + ' ' + Y(p.y).toFixed(1)).join('')}));
      for (const p of l.points) {
        if (p.x < low || p.x > high) continue;
        const px = X(p.x), py = Y(p.y);
        g.append(mark(l.entry.mark, px, py, l.entry.published ? 2.6 : 3.4));
        points.push({...p, px, py, entry: l.entry});
      }
      l.entry.groups = (l.entry.groups || []).filter(x => x.isConnected).concat(g);
      lines.append(g);
    }
    svg.append(lines);
    svg.addEventListener('pointerdown', press);
    svg.addEventListener('pointermove', move);
    // A finger leaves when it is lifted; what it tapped stays.
    svg.addEventListener('pointerleave', event => { if (!drag && event.pointerType === 'mouse') hideTip(); });
    svg.addEventListener('dblclick', () => zoom(null, null));
    svg.addEventListener('keydown', key);
    svg.addEventListener('blur', hideTip);
    host.replaceChildren(svg, tip);
  }

  function hideTip() {
    tip.hidden = true;
    active = null;
    if (svg) svg.querySelectorAll('.ring').forEach(e => e.remove());
    emphasise(null);
  }

  function showTip(p) {
    if (p === active) return;
    hideTip();
    active = p;
    emphasise(p.entry);
    svg.append(s('circle', {class: 'ring', cx: p.px, cy: p.py, r: 7}));
    tip.replaceChildren(...p.tip().filter(Boolean));
    tip.hidden = false;
    const left = p.px + 16 + tip.offsetWidth < host.clientWidth ? p.px + 16 : p.px - 16 - tip.offsetWidth;
    tip.style.left = clamp(left, 0, Math.max(0, host.clientWidth - tip.offsetWidth)) + 'px';
    // Beside the point where there is room, else below or above it.
    let y = clamp(p.py - tip.offsetHeight / 2, 0, Math.max(0, host.clientHeight - tip.offsetHeight));
    if (left < 0) y = p.py > host.clientHeight / 2 ? p.py - tip.offsetHeight - 14 : p.py + 14;
    tip.style.top = y + 'px';
  }

  let drag = null;
  const place = event => {
    const r = svg.getBoundingClientRect();
    return [event.clientX - r.left, event.clientY - r.top];
  };
  function nearest(x, y) {
    let best = null, distance = 36 ** 2;
    for (const p of points) {
      const d = (p.px - x) ** 2 + (p.py - y) ** 2;
      if (d < distance) [best, distance] = [p, d];
    }
    return best;
  }
  function press(event) {
    if (event.button) return;
    const [x] = place(event);
    drag = {start: x, band: s('rect', {class: 'band', y: view.box.top, height: view.box.bottom - view.box.top})};
    svg.setPointerCapture(event.pointerId);
    svg.addEventListener('pointerup', release, {once: true});
    svg.addEventListener('pointercancel', cancel, {once: true});
    move(event);
  }
  function move(event) {
    const [x, y] = place(event);
    if (drag && Math.abs(x - drag.start) > 6) {
      hideTip();
      const a = clamp(Math.min(x, drag.start), view.box.left, view.box.right), b = clamp(Math.max(x, drag.start), view.box.left, view.box.right);
      drag.range = [a, b];
      drag.band.setAttribute('x', a);
      drag.band.setAttribute('width', b - a);
      svg.append(drag.band);
      return;
    }
    const p = nearest(x, y);
    if (p) showTip(p); else hideTip();
  }
  function cancel() {
    if (drag) drag.band.remove();
    drag = null;
    svg.removeEventListener('pointerup', release);
    svg.removeEventListener('pointercancel', cancel);
  }
  function release() {
    const range = drag && drag.range;
    cancel();
    if (range && range[1] - range[0] > 6) zoom(view.invert(range[0]), view.invert(range[1]));
  }

  // key walks along a curve with left and right and to other curves with up and down.
  function key(event) {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (event.key === 'Escape') hideTip();
    if (!step || !points.length) return;
    event.preventDefault();
    if (!active) return showTip(points[0]);
    if (step[0]) {
      const own = points.filter(p => p.entry === active.entry).sort((a, b) => a.px - b.px);
      return showTip(own[clamp(own.indexOf(active) + step[0], 0, own.length - 1)]);
    }
    const shown = [...new Set(points.map(p => p.entry))];
    const other = shown[(shown.indexOf(active.entry) + step[1] + shown.length) % shown.length];
    const near = points.filter(p => p.entry === other).sort((a, b) => Math.abs(a.px - active.px) - Math.abs(b.px - active.px));
    showTip(near[0]);
  }

  watchers.push(draw);
  let last = 0;
  new ResizeObserver(() => {
    if (host.clientWidth !== last) { last = host.clientWidth; draw(); }
  }).observe(host);
}

// emphasise makes an entry stand out in all charts; null ends that.
function emphasise(entry) {
  for (const e of drawn) {
    for (const g of e.groups || []) {
      g.classList.toggle('strong', e === entry);
      g.classList.toggle('weak', entry !== null && e !== entry);
    }
  }
}

function zoom(from, to) {
  state.from = from;
  state.to = to;
  if (byId('from')) {
    byId('from').value = from === null ? '' : from.toPrecision(3);
    byId('to').value = to === null ? '' : to.toPrecision(3);
  }
  changed();
}

// ---- Legend ---------------------------------------------------------------

function legend(host) {
  const buttons = new Map();
  const item = e => {
    const b = h('button', {type: 'button', onclick: () => { e.on = !e.on; changed(); emphasise(e.on ? e : null); },
      onpointerenter: () => emphasise(e.on ? e : null), onpointerleave: () => emphasise(null)},
      s('svg', {class: 'curve' + (e.published ? ' published' : ''), style: e.colour, viewBox: '0 0 30 14', 'aria-hidden': 'true'}, s('path', {d: 'M0 7H30'}), mark(e.mark, 15, 7, 3.6)),
      h('span', {}, e.name));
    buttons.set(e, b);
    return h('li', {}, b);
  };
  const group = (title, of, listClass) => {
    if (!of.length) return [];
    const set = on => () => { of.forEach(e => { e.on = on; }); changed(); };
    return [h('h3', {}, title, h('span', {class: 'all'}, h('button', {type: 'button', onclick: set(true)}, 'all'), h('button', {type: 'button', onclick: set(false)}, 'none'))),
      h('ul', {class: listClass}, of.map(item))];
  };
  host.append(...group('Measured', drawn.filter(e => e.curve), data.published.length ? 'among-others' : ''), ...group('Published', drawn.filter(e => e.published), 'published-list'));
  watchers.push(() => buttons.forEach((b, e) => b.setAttribute('aria-pressed', e.on)));
}

// ---- Speed ----------------------------------------------------------------

const median = v => v.length % 2 ? v[(v.length - 1) / 2] : (v[v.length / 2 - 1] + v[v.length / 2]) / 2;

function bars(host) {
  let clock = 'cpu';
  const draw = () => {
    const rows = entries.filter(e => e.curve && e.on).map(e => ({entry: e, ...Object.fromEntries(['encode', 'decode'].map(way => {
      const v = e.curve.points.map(p => p[`${way}_${clock}`]).filter(Boolean).sort((a, b) => a - b);
      return [way, v.length ? {low: v[0], high: v[v.length - 1], mid: median(v)} : null];
    }))})).filter(r => r.encode || r.decode).sort((a, b) => (b.encode?.mid || 0) - (a.encode?.mid || 0));
    if (!rows.length) {
      host.replaceChildren(h('p', {class: 'hint'}, 'No times were measured.'));
      return;
    }
    const both = rows.flatMap(r => [r.encode, r.decode]).filter(Boolean);
    const low = Math.floor(Math.log10(Math.min(...both.map(v => v.low))) - 1e-9), high = Math.ceil(Math.log10(Math.max(...both.map(v => v.high))));
    const place = v => 100 * (Math.log10(v) - low) / (high - low);
    const scale = () => h('div', {class: 'ticks', 'aria-hidden': 'true'}, Array.from({length: high - low + 1}, (_, i) => h('span', {style: `left:${100 * i / (high - low)}%`}, trim(10 ** (low + i)))));
    const bar = (v, e, what) => {
      if (!v) return h('div', {class: 'bar'}, h('span', {}, '–'));
      return h('div', {class: 'bar', style: `${e.colour};background-size:${100 / (high - low)}% 100%`, title: `${what}: ${speedOf(v.low)} to ${speedOf(v.high)} MP/s`},
        h('i', {style: `width:${place(v.mid)}%`}), h('u', {style: `left:${place(v.low)}%;width:${place(v.high) - place(v.low)}%`}), h('span', {style: `left:${Math.max(place(v.mid), place(v.high))}%`}, speedOf(v.mid)));
    };
    host.replaceChildren(h('div', {class: 'head corner'}), h('div', {class: 'head'}, 'Encode, MP/s'), h('div', {class: 'head'}, 'Decode, MP/s'),
      h('div', {class: 'corner'}), scale(), scale(),
      ...rows.flatMap(r => [h('div', {class: 'name'}, r.entry.name), bar(r.encode, r.entry, 'Encode'), bar(r.decode, r.entry, 'Decode')]));
  };
  byId('clock').addEventListener('change', event => { clock = event.target.value; draw(); });
  watchers.push(draw);
}

// ---- Tables ---------------------------------------------------------------

// sortable makes the headings of a table sort it. Cells that are sorted by number
// have it in data-v; what has none comes last either way.
function sortable(table) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((th, column) => {
    if ('fixed' in th.dataset) return;
    const button = h('button', {type: 'button'}, ...th.childNodes);
    th.append(button);
    button.addEventListener('click', () => {
      const up = th.getAttribute('aria-sort') !== 'ascending';
      headings.forEach(other => other.removeAttribute('aria-sort'));
      th.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const key = row => {
        const cell = row.cells[column];
        return th.classList.contains('n') ? (cell.dataset.v ? Number(cell.dataset.v) : null) : cell.textContent;
      };
      const compare = (a, b) => typeof a === 'number' ? a - b : a.localeCompare(b, 'en', {numeric: true});
      const body = table.tBodies[0];
      body.append(...[...body.rows].map(row => [key(row), row]).sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return up ? compare(a, b) : compare(b, a);
      }).map(([, row]) => row));
    });
  });
}

// ---- Single pictures ------------------------------------------------------

function pictureTable(table) {
  let order = null; // heading and direction that the reader chose
  const draw = () => {
    const sorted = table.tHead && [...table.tHead.rows[0].cells].findIndex(th => th.hasAttribute('aria-sort'));
    if (sorted >= 0 && table.tHead) order = [sorted, table.tHead.rows[0].cells[sorted].getAttribute('aria-sort')];
    const p = data.pictures[state.picture], cell = (v, text) => h('td', {class: 'n', 'data-v': v ?? ''}, text);
    const rows = entries.filter(e => e.curve && e.on).flatMap(e => e.curve.points.map((point, i) => {
      const c = data.cells[e.index][i][state.picture];
      if (!c.length) return null;
      return h('tr', {}, h('th', {scope: 'row'}, e.name), h('td', {}, point.rate || '–'), cell(c[0], grouped(c[0])), cell(bppOfCell(c, state.picture), bppOfCell(c, state.picture).toFixed(4)),
        data.metrics.map((m, k) => cell(c[3 + k], fixed(c[3 + k], m.decimals))),
        cell(c[1] || null, c[1] ? fixed(c[1], 3) : '–'), cell(c[2] || null, c[2] ? fixed(c[2], 3) : '–'));
    }));
    table.replaceChildren(
      h('thead', {}, h('tr', {}, h('th', {}, 'Curve'), h('th', {}, 'Rate'), ...['Bytes', 'bpp', ...data.metrics.map(m => m.title), 'Encode CPU s', 'Decode CPU s'].map(t => h('th', {class: 'n'}, t)))),
      h('tbody', {}, rows));
    sortable(table);
    if (order) {
      const button = table.tHead.rows[0].cells[order[0]].querySelector('button');
      button.click();
      if (order[1] === 'descending') button.click();
    }
    byId('picture-facts').textContent = `${p.width} × ${p.height}, ${p.id}`;
    byId('picture').value = state.picture;
  };
  watchers.push(draw);
}

// ---- Viewer ---------------------------------------------------------------

function viewer() {
  const metricIndex = name => data.metrics.findIndex(m => m.name === name);
  const view = {at: 0, split: .5, zoom: 0};
  const current = () => data.viewer[view.at];

  // A side shows the original (curve -1) or one of the versions of a curve.
  function side(host, title, start) {
    const which = h('select', {'aria-label': `${title}: codec`}), rate = h('input', {type: 'range', min: 0, step: 1, 'aria-label': `${title}: rate`});
    const match = h('button', {type: 'button', title: 'Take the rate that comes closest to the size of the other side'}, 'Match size');
    const facts = h('output', {});
    const me = {curve: start, point: null, image: h('img', {alt: '', draggable: 'false'})};
    host.append(h('h3', {}, title), h('div', {class: 'row'}, h('label', {}, which), h('label', {}, rate), match), facts);
    const versions = () => current().versions.filter(v => v.curve === me.curve);
    const bpp = v => bppOfCell(data.cells[v.curve][v.point][current().picture], current().picture);
    me.version = () => versions().find(v => v.point === me.point);
    me.bpp = () => me.curve < 0 ? null : bpp(me.version());
    me.matchTo = target => {
      me.point = versions().reduce((a, b) => Math.abs(Math.log(bpp(b) / target)) < Math.abs(Math.log(bpp(a) / target)) ? b : a).point;
    };
    // refresh brings the controls in line with what the picture has.
    me.refresh = () => {
      const has = [...new Set(current().versions.map(v => v.curve))];
      which.replaceChildren(option(-1, 'Original'), ...has.map(c => option(c, data.curves[c].name)));
      if (!has.includes(me.curve) && me.curve !== -1) me.curve = has[0];
      which.value = me.curve;
      const all = versions();
      rate.disabled = all.length < 2;
      match.disabled = !all.length;
      rate.parentElement.hidden = match.hidden = !all.length;
      rate.max = Math.max(all.length - 1, 1);
      let cell = null;
      if (all.length) {
        if (!me.version()) me.point = all.reduce((a, b) => Math.abs(b.point - me.point) < Math.abs(a.point - me.point) ? b : a).point;
        rate.value = all.indexOf(me.version());
        const point = data.curves[me.curve].points[me.point];
        cell = data.cells[me.curve][me.point][current().picture];
        rate.setAttribute('aria-valuetext', point.rate);
        const value = (name, unit) => metricIndex(name) >= 0 && isNumber(cell[3 + metricIndex(name)]) ? `, ${data.metrics[metricIndex(name)].title.replace(' dB', '')} ${fixed(cell[3 + metricIndex(name)], data.metrics[metricIndex(name)].decimals)}${unit}` : '';
        facts.textContent = `${point.rate ? point.rate + ': ' : ''}${bppOf(me.bpp())} bpp${value('psnr', ' dB')}${value('ms_ssim_db', ' dB')}${value('ssimulacra2', '')}`;
      } else {
        const p = data.pictures[current().picture];
        facts.textContent = `${p.width} × ${p.height}`;
      }
      const uri = me.curve < 0 ? current().original : me.version().uri;
      if (me.uri !== uri) { me.uri = uri; me.image.src = uri; }
      me.image.alt = me.curve < 0 ? 'The original' : `${data.curves[me.curve].name}: ${facts.textContent}`;
    };
    which.addEventListener('change', () => {
      const before = me.bpp();
      me.curve = Number(which.value);
      me.point = null;
      if (me.curve >= 0) me.matchTo(before ?? me.other.bpp() ?? .5);
      show();
    });
    rate.addEventListener('input', () => { me.point = versions()[Number(rate.value)].point; show(); });
    match.addEventListener('click', () => { if (me.other.bpp() !== null) { me.matchTo(me.other.bpp()); show(); } });
    return me;
  }
  const first = data.viewer[0].versions;
  const left = side(byId('left'), 'Left', first[0].curve), right = side(byId('right'), 'Right', -1);
  left.other = right;
  right.other = left;
  left.matchTo(.3);

  const stage = byId('stage'), pan = byId('pan'), sheet = byId('sheet'), split = byId('split');
  const canvas = h('canvas', {hidden: ''});
  sheet.append(left.image, right.image, canvas);

  function show() {
    left.refresh();
    right.refresh();
    arrange();
    difference();
  }
  // arrange sizes the sheet and cuts the right picture off at the split, which stays
  // where it is on the screen while the pictures scroll below it.
  function arrange() {
    const p = data.pictures[current().picture];
    const scale = view.zoom || Math.min(1, pan.clientWidth / p.width);
    sheet.style.width = `${p.width * scale}px`;
    sheet.style.height = `${p.height * scale}px`;
    sheet.classList.toggle('near', view.zoom > 0);
    cut();
  }
  function cut() {
    const x = view.split * stage.clientWidth;
    split.style.left = `${x}px`;
    split.setAttribute('aria-valuenow', Math.round(100 * view.split));
    const at = x - (sheet.getBoundingClientRect().left - stage.getBoundingClientRect().left);
    right.image.style.clipPath = `inset(0 0 0 ${clamp(at, 0, sheet.clientWidth)}px)`;
  }

  let turn = 0; // of the last difference that was asked for
  async function difference() {
    const on = byId('difference').checked, mine = ++turn;
    split.hidden = on;
    if (!on) { canvas.hidden = true; return; }
    await Promise.all([left.image.decode(), right.image.decode()]);
    if (mine !== turn) return;
    const p = data.pictures[current().picture], gain = Number(byId('gain').value);
    const c = canvas.getContext('2d', {willReadFrequently: true});
    canvas.width = p.width;
    canvas.height = p.height;
    const samples = image => {
      c.clearRect(0, 0, p.width, p.height);
      c.drawImage(image, 0, 0, p.width, p.height);
      return c.getImageData(0, 0, p.width, p.height);
    };
    const a = samples(left.image), b = samples(right.image);
    for (let i = 0; i < a.data.length; i++) a.data[i] = i % 4 === 3 ? 255 : Math.abs(a.data[i] - b.data[i]) * gain;
    c.putImageData(a, 0, 0);
    canvas.hidden = false;
  }

  const choose = byId('view-picture');
  data.viewer.forEach((v, i) => choose.append(option(i, data.pictures[v.picture].name)));
  choose.addEventListener('change', () => { view.at = Number(choose.value); show(); });
  byId('zoom').addEventListener('change', event => {
    // The middle of what is seen stays.
    const x = (pan.scrollLeft + pan.clientWidth / 2) / pan.scrollWidth, y = (pan.scrollTop + pan.clientHeight / 2) / pan.scrollHeight;
    view.zoom = Number(event.target.value);
    arrange();
    pan.scrollLeft = x * pan.scrollWidth - pan.clientWidth / 2;
    pan.scrollTop = y * pan.scrollHeight - pan.clientHeight / 2;
    cut();
  });
  byId('difference').addEventListener('change', difference);
  byId('gain').addEventListener('change', difference);
  pan.addEventListener('scroll', cut);
  new ResizeObserver(arrange).observe(stage);

  split.addEventListener('pointerdown', event => {
    split.setPointerCapture(event.pointerId);
    event.preventDefault();
    split.focus();
  });
  split.addEventListener('pointermove', event => {
    if (!split.hasPointerCapture(event.pointerId)) return;
    const r = stage.getBoundingClientRect();
    view.split = clamp((event.clientX - r.left) / r.width, 0, 1);
    cut();
  });
  split.addEventListener('keydown', event => {
    const to = {ArrowLeft: view.split - .02, ArrowDown: view.split - .02, ArrowRight: view.split + .02, ArrowUp: view.split + .02, Home: 0, End: 1}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    view.split = clamp(to, 0, 1);
    cut();
  });
  // Panning with the mouse; fingers and wheels scroll by themselves.
  pan.addEventListener('pointerdown', event => {
    if (event.pointerType !== 'mouse' || event.button) return;
    if (event.offsetX > pan.clientWidth || event.offsetY > pan.clientHeight && event.target === pan) return; // on a scroll bar
    pan.setPointerCapture(event.pointerId);
    pan.classList.add('dragging');
  });
  pan.addEventListener('pointermove', event => {
    if (!pan.classList.contains('dragging')) return;
    pan.scrollLeft -= event.movementX;
    pan.scrollTop -= event.movementY;
  });
  for (const end of ['pointerup', 'pointercancel']) pan.addEventListener(end, () => pan.classList.remove('dragging'));
  show();
}

// ---- The page -------------------------------------------------------------

document.querySelectorAll('table.sortable').forEach(t => { if (t.tHead) sortable(t); });
if (byId('chart') && data.metrics.length) {
  byId('metric').append(...data.metrics.map((m, i) => option(i, m.title)));
  byId('metric').addEventListener('change', event => { state.metric = data.metrics[event.target.value]; changed(); });
  byId('scale').addEventListener('change', event => { state.log = event.target.value === 'log'; changed(); });
  const range = () => {
    const number = id => { const v = parseFloat(byId(id).value); return v > 0 ? v : null; };
    state.from = number('from');
    state.to = number('to');
    changed();
  };
  byId('from').addEventListener('change', range);
  byId('to').addEventListener('change', range);
  byId('reset').addEventListener('click', () => zoom(null, null));
  legend(byId('legend'));
  chart(byId('chart'), 'Rate and distortion', seriesOf);
} else if (byId('rd')) {
  byId('rd').hidden = true;
}
if (byId('bars')) bars(byId('bars'));
if (byId('picture')) {
  byId('picture').append(...data.pictures.map((p, i) => option(i, p.name)));
  const go = to => { state.picture = (to + data.pictures.length) % data.pictures.length; changed(); };
  byId('picture').addEventListener('change', event => go(Number(event.target.value)));
  byId('previous').addEventListener('click', () => go(state.picture - 1));
  byId('next').addEventListener('click', () => go(state.picture + 1));
  if (data.metrics.length && drawn.some(e => e.curve)) chart(byId('picture-chart'), 'Single picture', pictureSeriesOf);
  else byId('picture-chart').hidden = byId('picture-hint').hidden = true;
  pictureTable(byId('picture-table'));
}
changed();
if (data.viewer.length) viewer();
})();

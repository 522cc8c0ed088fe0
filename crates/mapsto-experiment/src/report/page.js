(function () {
  'use strict';
  var root = document.documentElement, button = document.getElementById('theme');
  var dark = matchMedia('(prefers-color-scheme: dark)');
  function theme() { return root.dataset.theme || (dark.matches ? 'dark' : 'light'); }
  function say() { button.textContent = theme() === 'dark' ? 'Light' : 'Dark'; button.setAttribute('aria-label', 'Switch to ' + button.textContent.toLowerCase() + ' colours'); }
  // A page opened from a file may have no storage.
  try { var kept = localStorage.getItem('mapsto-theme'); if (kept === 'dark' || kept === 'light') root.dataset.theme = kept; } catch (e) { }
  button.hidden = false; say();
  button.addEventListener('click', function () {
    root.dataset.theme = theme() === 'dark' ? 'light' : 'dark'; say();
    try { localStorage.setItem('mapsto-theme', root.dataset.theme); } catch (e) { }
  });
  dark.addEventListener('change', say);

  function chart(plot) {
    var data = JSON.parse(plot.dataset.chart), svg = plot.querySelector('svg'), at = -1;
    var ns = 'http://www.w3.org/2000/svg', line = document.createElementNS(ns, 'line');
    line.setAttribute('class', 'cursor'); line.setAttribute('y1', data.top); line.setAttribute('y2', data.bottom); line.style.display = 'none';
    svg.appendChild(line);
    var tip = document.createElement('div'); tip.className = 'tip'; tip.hidden = true; tip.setAttribute('role', 'status'); plot.appendChild(tip);
    function show(i) {
      at = Math.max(0, Math.min(data.px.length - 1, i));
      var x = data.px[at];
      line.setAttribute('x1', x); line.setAttribute('x2', x); line.style.display = '';
      tip.textContent = '';
      var head = document.createElement('b'); head.textContent = data.of + ' ' + data.x[at]; tip.appendChild(head);
      data.s.forEach(function (s) { if (s.v[at] !== '') { tip.appendChild(document.createElement('br')); tip.appendChild(document.createTextNode(s.n + ' ' + s.v[at])); } });
      tip.hidden = false;
      var box = svg.getBoundingClientRect(), left = x / data.width * box.width;
      if (left > box.width / 2) left -= tip.offsetWidth + 10; else left += 10;
      tip.style.left = Math.max(0, Math.min(left, box.width - tip.offsetWidth)) + 'px';
    }
    function hide() { tip.hidden = true; line.style.display = 'none'; at = -1; }
    plot.addEventListener('pointermove', function (e) {
      var box = svg.getBoundingClientRect(), x = (e.clientX - box.left) / box.width * data.width, best = 0;
      data.px.forEach(function (p, i) { if (Math.abs(p - x) < Math.abs(data.px[best] - x)) best = i; });
      show(best);
    });
    plot.addEventListener('pointerleave', hide);
    plot.addEventListener('blur', hide);
    plot.addEventListener('keydown', function (e) {
      var last = data.px.length - 1, to = { ArrowLeft: at < 0 ? last : at - 1, ArrowRight: at + 1, Home: 0, End: last }[e.key];
      if (e.key === 'Escape') hide();
      if (to === undefined) return;
      e.preventDefault(); show(to);
    });
  }
  function charts() { Array.prototype.forEach.call(document.querySelectorAll('[data-chart]'), chart); }
  charts();

  var live = document.getElementById('live');
  if (!live || location.protocol === 'file:') return;
  var version = -1, missed = 0;
  function ask() {
    fetch('/data?v=' + version).then(function (answer) { return answer.json(); }).then(function (now) {
      missed = 0;
      document.getElementById('live-text').textContent = now.text;
      document.getElementById('live-share').style.width = (100 * now.share) + '%';
      if (now.body !== null && now.version !== version) {
        var open = Array.prototype.map.call(document.querySelectorAll('main details'), function (d) { return d.open; });
        document.querySelector('main').innerHTML = now.body;
        document.querySelector('nav ol').innerHTML = now.nav;
        Array.prototype.forEach.call(document.querySelectorAll('main details'), function (d, i) { if (open[i]) d.open = true; });
        charts();
      }
      version = now.version;
      if (!now.done) setTimeout(ask, 1000);
    }).catch(function () {
      missed += 1;
      if (missed < 3) setTimeout(ask, 1000);
      else document.getElementById('live-text').textContent = 'The training no longer answers: it has ended, or was stopped. This page stays as it is.';
    });
  }
  ask();
})();

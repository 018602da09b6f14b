// The console without this script: pages, forms, a refresh every five seconds.
// With it: rows that come in by themselves, a pane that changes in place,
// buttons that copy.
'use strict'
const $ = id => document.getElementById(id)

// Copying: the label changes for two seconds and nothing else moves.
document.addEventListener('click', async event => {
  const button = event.target.closest('[data-copy]')
  if (!button) return
  const source = $(button.dataset.copy)
  const label = button.dataset.label ||= button.textContent
  try {
    await navigator.clipboard.writeText(source.textContent)
    button.textContent = '已复制'
  } catch {
    source.closest('details')?.setAttribute('open', '')
    getSelection().selectAllChildren(source)
    button.textContent = '请长按复制'
  }
  setTimeout(() => { button.textContent = label }, 2000)
})
const reveal = () => document.querySelectorAll('[data-copy]').forEach(button => { button.hidden = false })
reveal()
document.querySelector('[role=alert]')?.focus()

if ($('feed')) live($('feed'))
if ($('waiting')) phone()

// A phone: codes come and go by themselves, unless somebody is about to press.
function phone() {
  let soon = 0
  const look = async () => {
    soon = 0
    const page = await fetchPage(location.href)
    for (const id of ['waiting', 'paycode']) {
      if (!$(id).contains(document.activeElement)) $(id).replaceWith(document.adoptNode(page.getElementById(id)))
    }
    reveal()
  }
  const source = new EventSource('/_sim/api/events')
  for (const kind of ['transaction', 'clock']) source.addEventListener(kind, () => { soon ||= setTimeout(() => look().catch(() => {}), 250) })
}

function live(feed) {
  const rows = $('rows'), heldBar = $('held'), pause = $('pause'), filter = feed.querySelector('[name=f]')
  let last = Number(feed.dataset.last) // newest number seen
  let held = [], paused = false, asking = false, again = false, soon = 0

  // One renderer for rows: the server's page. The stream only rings.
  async function pull() {
    if (asking) { again = true; return }
    asking = true
    again = false
    try {
      const page = await fetchPage('/_sim/?after=' + last)
      const fresh = [...page.querySelectorAll('#rows > .ev')].filter(row => Number(row.dataset.seq) > last)
      count(page)
      if (fresh.length) {
        last = Number(fresh[0].dataset.seq)
        held = fresh.concat(held)
        if (following()) release()
        else showHeld()
      }
    } finally {
      asking = false
      if (again) ring()
    }
  }
  // At most four times a second, however many events there are.
  const ring = () => { soon ||= setTimeout(() => { soon = 0; pull().catch(() => {}) }, 250) }

  const scrolls = () => feed.scrollHeight > feed.clientHeight + 1 && getComputedStyle(feed).overflowY !== 'visible' && matchMedia('(min-width:1100px)').matches
  const atTop = () => scrolls() ? feed.scrollTop <= 40 : feed.getBoundingClientRect().top > -40
  const reading = () => { const s = getSelection(); return !s.isCollapsed && rows.contains(s.anchorNode) }
  const following = () => !paused && atTop() && !reading()

  function release() {
    $('none')?.remove()
    held.forEach(sift)
    rows.prepend(...held)
    held = []
    while (rows.children.length > 500) rows.lastElementChild.remove()
    showHeld()
  }
  function showHeld() {
    const n = held.filter(matches).length
    heldBar.hidden = n === 0
    heldBar.textContent = '有 ' + n + ' 条新的'
    pause.textContent = paused ? '继续' + (n ? '（' + n + '）' : '') : '暂停跟随'
  }
  heldBar.addEventListener('click', () => {
    release()
    if (scrolls()) feed.scrollTop = 0
    else feed.scrollIntoView()
  })
  pause.hidden = false
  pause.addEventListener('click', () => {
    paused = !paused
    if (!paused) release()
    showHeld()
    if (paused) say('已暂停', '')
    else connect()
  })

  // The filter works at once on what is here; then the server looks further back.
  const text = row => (row.textContent + ' ' + row.dataset.words).toLowerCase()
  const matches = row => text(row).includes(filter.value.trim().toLowerCase())
  const sift = row => { row.hidden = !matches(row) }
  let typing
  function refilter() {
    ;[...rows.children].forEach(sift)
    showHeld()
    const url = new URL(location)
    if (filter.value) url.searchParams.set('f', filter.value)
    else url.searchParams.delete('f')
    history.replaceState(history.state, '', url)
    clearTimeout(typing)
    typing = setTimeout(async () => {
      const page = await fetchPage('/_sim/?f=' + encodeURIComponent(filter.value))
      const known = new Set([...rows.children, ...held].map(row => row.dataset.seq))
      const older = [...page.querySelectorAll('#rows > .ev')].filter(row => !known.has(row.dataset.seq) && Number(row.dataset.seq) < last)
      rows.append(...older)
      rows.append(...[...rows.children].sort((a, b) => b.dataset.seq - a.dataset.seq))
      count(page)
    }, 300)
  }
  filter.addEventListener('input', refilter)
  filter.form.addEventListener('submit', event => event.preventDefault())
  const count = page => { if (!filter.value || page.querySelector('[name=f]').value) $('count').textContent = page.getElementById('count').textContent }

  // The pane changes only when somebody chooses a row.
  rows.addEventListener('click', event => {
    const row = event.target.closest('.ev')
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
    event.preventDefault()
    const to = new URL(row.href)
    if (filter.value) to.searchParams.set('f', filter.value)
    else to.searchParams.delete('f')
    history.pushState(null, '', to)
    choose(true)
  })
  addEventListener('popstate', () => choose(false))
  async function choose(scroll) {
    const seq = new URL(location).searchParams.get('e')
    ;[...rows.children].forEach(row => row.dataset.seq === seq ? row.setAttribute('aria-current', 'page') : row.removeAttribute('aria-current'))
    try {
      $('pane').replaceWith(document.adoptNode((await fetchPage(location.href)).getElementById('pane')))
      reveal()
      if (scroll && matchMedia('(max-width:1099px)').matches) $('pane').scrollIntoView()
    } catch { location.reload() }
  }

  // The stream, and what to do without it.
  const say = (word, tone) => {
    if ($('tag').textContent === word) return
    $('tag').textContent = word
    $('tag').className = 'tag ' + tone
  }
  let source, failures = [], polling
  function connect() {
    source?.close()
    source = new EventSource('/_sim/api/events')
    source.onopen = () => {
      clearInterval(polling)
      polling = 0
      if (!paused) say('实时', 'ok')
      ring()
    }
    for (const kind of ['request', 'transaction', 'notification', 'refund', 'fault', 'clock', 'row']) source.addEventListener(kind, ring)
    source.onerror = broken
  }
  function broken() {
    const now = performance.now()
    failures = failures.filter(at => now - at < 15000).concat(now)
    if (failures.length < 3 && source.readyState !== EventSource.CLOSED) {
      if (!polling) say('断开，正在重连', 'wait')
      return
    }
    source.close()
    say('每 3 秒看一次', 'wait')
    polling ||= setInterval(() => pull().catch(() => {}), 3000)
    setTimeout(connect, 60000)
  }
  connect()
}

async function fetchPage(url) {
  const res = await fetch(url, { cache: 'no-store' })
  if (!res.ok) throw new Error('answered ' + res.status)
  return new DOMParser().parseFromString(await res.text(), 'text/html')
}

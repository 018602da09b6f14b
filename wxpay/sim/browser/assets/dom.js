// Small tools. These files are joined into one function; see script.go.
const here = document.currentScript.src
const fetchNow = window.fetch.bind(window) // before a page wraps it
const svgNS = 'http://www.w3.org/2000/svg'

// el builds an element. No markup strings: they would trip Trusted Types.
function el(name, props, ...kids) {
  const e = name === 'svg' || name === 'path' ? document.createElementNS(svgNS, name) : document.createElement(name)
  for (const [key, value] of Object.entries(props || {})) {
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value)
    else if (value !== false && value != null) e.setAttribute(key, value === true ? '' : value)
  }
  e.append(...kids.flat().filter(kid => kid != null && kid !== false))
  return e
}

const icon = path => el('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true' }, el('path', { d: path }))

// yuan writes fen without ever making a fraction of it.
const yuan = fen => Math.trunc(fen / 100) + '.' + String(fen % 100).padStart(2, '0')

async function ask(name, body) {
  const res = await fetchNow(new URL(name, here), body === undefined ? { cache: 'no-store' } : {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  })
  if (!res.ok) throw new Error('simulator answered ' + res.status)
  return res.json()
}

// root is the shadow root that holds all we show. It stands before <body>, so
// that it neither joins the page's layout nor covers anything of it.
let shadow
function root() {
  if (shadow) return shadow
  const host = el('div', { id: 'wxsim', lang: 'zh-CN' })
  shadow = host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(config.css)
  shadow.adoptedStyleSheets = [sheet]
  document.documentElement.insertBefore(host, document.body)
  return shadow
}

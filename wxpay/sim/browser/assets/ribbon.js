// The ribbon says on every page that this is a simulator, and whose phone it
// is. It stands above the page and scrolls away with it.
async function ribbon() {
  if (window.top !== window) return
  const name = el('span', {}, '模拟微信')
  const menu = el('div', { class: 'menu', id: 'wx-menu', hidden: true })
  const button = el('button', { type: 'button', 'data-act': 'menu', 'aria-expanded': 'false', 'aria-controls': 'wx-menu', onclick: () => toggle(menu.hidden) },
    name, el('span', { 'aria-hidden': 'true' }, ' ▾'))
  const bar = el('div', { class: 'ribbon', role: 'region', 'aria-label': '微信模拟器', onkeydown: event => {
    if (event.key === 'Escape' && !menu.hidden) { toggle(false); button.focus() }
  } }, button, menu)

  function toggle(show) {
    menu.hidden = !show
    button.setAttribute('aria-expanded', String(show))
  }
  document.addEventListener('click', event => { if (event.target !== root().host) toggle(false) })

  // A page of fixed height would lose its bottom bar to us: lie over it there.
  const style = getComputedStyle(document.documentElement), body = getComputedStyle(document.body)
  if (style.overflowY === 'hidden' || body.overflowY === 'hidden' && style.overflowY !== 'visible') bar.classList.add('over')
  root().prepend(bar)

  const { me, users } = await ask('me')
  name.textContent = '模拟微信 · ' + me.nickname
  menu.append(
    el('p', {}, '这是模拟器：不连微信，不动真钱。'),
    el('p', {}, '换人就是换一部手机，店里的登录留在原来那部。'),
    ...users.map(user => el('button', { type: 'button', 'data-user': user.id, 'aria-pressed': String(user.id === me.id), onclick: () => become(user) },
      el('span', {}, user.nickname), el('span', {}, '零钱 ¥' + yuan(user.balance)))),
    el('a', { href: config.console, target: '_blank', rel: 'noopener' }, '打开控制台'))

  async function become(user) {
    await ask('me', { user: user.id })
    location.reload()
  }
}

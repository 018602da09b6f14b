// The pay sheet: a modal dialog in the top layer, so that it lies over any
// page and the page under it is inert.
const fail = desc => ({ err_msg: 'get_brand_wcpay_request:fail', err_desc: desc })

// paySheet shows what is to be paid and calls finish once, with the result for
// the page; never when the user asked for silence after paying.
function paySheet(pay, finish) {
  let busy = false, settled = null // settled: the result that the success page will give
  let digits = ''

  const input = el('input', { type: 'text', inputmode: 'none', maxlength: 6, autocomplete: 'off', 'data-f': 'password',
    'aria-label': '支付密码，六位数字，随便输', oninput: () => typed(input.value) })
  const dots = Array.from({ length: 6 }, () => el('i'))
  const status = el('p', { class: 'say', role: 'status' })
  const button = (act, label, cls) => el('button', { type: 'button', 'data-act': act, class: cls, onclick: () => choose(act) }, label)
  const key = (label, press, cls, aria) => el('button', { type: 'button', tabindex: -1, class: cls, 'aria-label': aria, onclick: press }, label)

  const dialog = el('dialog', { 'data-view': 'pay', 'aria-labelledby': 'wx-t', 'aria-modal': 'true', oncancel: escaped, onclose: closed, onkeydown: keys },
    el('p', { class: 'fake' }, '模拟的微信支付，密码随便输，不会扣钱'),
    el('div', { class: 'head' },
      el('button', { type: 'button', 'data-act': 'cancel', 'aria-label': '取消付款', onclick: () => choose('cancel') }, icon('M6 6l12 12M18 6L6 18')),
      el('h2', { id: 'wx-t' }, '请输入支付密码'), el('span')),
    el('p', { class: 'who' }, pay.merchant),
    el('p', { class: 'amt' }, el('small', {}, '¥'), yuan(pay.total)),
    el('dl', {},
      el('dt', {}, '商品'), el('dd', {}, pay.description),
      el('dt', {}, '付款方式'), el('dd', {}, '零钱（剩余 ¥' + yuan(pay.balance) + '）'),
      el('dt', {}, '付款人'), el('dd', {}, pay.nickname)),
    el('label', { class: 'code' }, dots, input),
    status,
    el('div', { class: 'go' }, button('pay', '确认付款 ¥' + yuan(pay.total), 'main')),
    el('div', { class: 'end', role: 'group', 'aria-label': '换一种结局' },
      button('cancel', '取消'), button('fail', '付款失败', 'bad'), button('notenough', '余额不足', 'bad'), button('silent', '不回调')),
    el('div', { class: 'pad', role: 'group', 'aria-label': '数字键' },
      '123456789'.split('').map(n => key(n, () => typed(digits + n))),
      key('填好六位', () => typed('123456'), 'flat'), key('0', () => typed(digits + '0')),
      key('删除', () => typed(digits.slice(0, -1)), 'flat', '删一位')))

  function typed(text) {
    if (busy) return
    digits = text.replace(/\D/g, '').slice(0, 6)
    input.value = digits
    dots.forEach((dot, i) => { dot.className = i < digits.length ? 'on' : i === digits.length ? 'at' : '' })
  }

  async function choose(act) {
    if (busy) return
    busy = true
    dialog.classList.add('busy')
    status.textContent = act === 'pay' || act === 'silent' ? '正在付款…' : ''
    try {
      const outcome = act === 'pay' || act === 'silent' ? 'success' : act
      const answer = await ask('act', { token: pay.token, outcome })
      busy = false
      if (answer.err_msg !== 'get_brand_wcpay_request:ok') end(answer)
      else if (act === 'silent') end(null)
      else paid(answer)
    } catch (e) {
      busy = false
      status.textContent = '没有连上模拟器，再点一次'
      console.warn('模拟微信：', e)
    }
    dialog.classList.remove('busy')
  }

  // paid is WeChat's own success page: the shop hears of it only after 完成.
  function paid(answer) {
    settled = answer
    dialog.dataset.view = 'paid'
    const done = el('button', { type: 'button', 'data-act': 'done', class: 'main', onclick: () => end(settled) }, '完成')
    dialog.replaceChildren(
      el('p', { class: 'fake' }, '模拟的微信支付，没有动真钱'),
      el('div', { class: 'paid', role: 'status' }, icon('M5 12.5l5 5 9-11'), el('h2', { id: 'wx-t' }, '支付成功'),
        el('p', { class: 'who' }, pay.merchant), el('p', { class: 'amt' }, el('small', {}, '¥'), yuan(pay.total))),
      el('div', { class: 'go' }, done))
    done.focus()
  }

  function end(answer) {
    settled = answer
    dialog.removeEventListener('close', closed)
    dialog.close()
    dialog.remove()
    finish(answer)
  }

  // Esc and the back key: cancel before paying, 完成 after it.
  function escaped(event) {
    event.preventDefault()
    if (settled) end(settled)
    else choose('cancel')
  }

  // Browsers close a dialog at the second Esc whatever the page says.
  function closed() {
    if (settled) return end(settled)
    dialog.showModal()
    choose('cancel')
  }

  function keys(event) {
    event.stopPropagation() // the shop's shortcuts are none of ours
    if (event.key === 'Enter' && event.target === input) choose('pay')
    if (event.key !== 'Tab') return
    const stops = [...dialog.querySelectorAll('button:not([tabindex]),input')]
    const edge = event.shiftKey ? stops[0] : stops[stops.length - 1]
    if (root().activeElement === edge) {
      event.preventDefault()
      stops[event.shiftKey ? stops.length - 1 : 0].focus()
    }
  }

  typed('')
  root().append(dialog)
  dialog.showModal()
  input.focus()
}

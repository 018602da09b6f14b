// WeixinJSBridge, late, as in the app: first the page, then the bridge.
const handlers = {}
let open = false // one pay sheet at a time

const needed = ['appId', 'timeStamp', 'nonceStr', 'package', 'signType', 'paySign']

function getBrandWCPayRequest(params, done) {
  if (typeof params.timeStamp === 'number') return done(fail('jsapi 缺少参数 key0'))
  const missing = needed.find(name => typeof params[name] !== 'string' || params[name] === '')
  if (missing) return done(fail('调用支付JSAPI缺少参数：' + missing))
  if (open) return done(fail('付款窗口已经打开'))
  open = true
  const finish = answer => {
    open = false
    if (answer) done(answer)
  }
  const sent = Object.fromEntries(needed.map(name => [name, params[name]]))
  ask('prepare', { url: location.href, params: sent }).then(
    answer => answer.sheet ? paySheet(answer.sheet, finish) : finish(answer),
    () => finish(fail('没有连上模拟器')))
}

// wx.config of the JS-SDK ends here.
function preVerifyJSAPI(params, done) {
  ask('verify', {
    url: location.href, appId: params.verifyAppId || params.appId, timestamp: String(params.verifyTimestamp),
    nonceStr: params.verifyNonceStr, signature: params.verifySignature,
  }).then(done, () => done({ err_msg: 'preVerifyJSAPI:fail' }))
}

const api = {
  getBrandWCPayRequest,
  preVerifyJSAPI,
  getNetworkType: (params, done) => done({ err_msg: 'network_type:wifi' }),
  checkJsApi: (params, done) => {
    const known = {}
    for (const name of params.jsApiList || []) known[name] = Object.hasOwn(api, name)
    done({ err_msg: 'checkJsApi:ok', checkResult: JSON.stringify(known) }) // a string, as on Android
  },
  closeWindow: (params, done) => { done({ err_msg: 'close_window:ok' }); window.close() },
}
for (const name of ['hideOptionMenu', 'showOptionMenu', 'hideToolbar', 'showToolbar', 'setFontSizeCallback']) {
  api[name] = (params, done) => done({ err_msg: name + ':ok' })
}

const bridge = {
  // invoke calls back exactly once, and never before it has returned.
  invoke(name, params, callback) {
    if (typeof params === 'function') [params, callback] = [{}, params]
    let called = false
    const done = answer => {
      if (called) return
      called = true
      if (answer.err_desc) console.warn('模拟微信：' + name + ' ' + answer.err_msg + '，' + answer.err_desc)
      if (typeof callback === 'function') setTimeout(callback, 0, { ...answer })
    }
    if (!Object.hasOwn(api, name)) return done({ err_msg: 'system:function_not_exist' })
    api[name](Object(params), done)
  },
  call(name) { bridge.invoke(name, {}) },
  on(event, callback) { (handlers[event] ||= []).push(callback) },
}

if (!/MicroMessenger/i.test(navigator.userAgent)) {
  Object.defineProperty(navigator, 'userAgent', { get: () => config.ua, configurable: true })
}

function ready() {
  window.WeixinJSBridge = bridge
  document.dispatchEvent(new Event('WeixinJSBridgeReady'))
}

const soon = () => setTimeout(ready, config.delay)
if (config.delay >= 0) document.readyState === 'complete' ? soon() : window.addEventListener('load', soon)

const show = () => ribbon().catch(e => console.warn('模拟微信：', e))
document.readyState === 'loading' ? document.addEventListener('DOMContentLoaded', show) : show()

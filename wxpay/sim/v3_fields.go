package sim

import "regexp"

// The parameters of each call, in the order and with the names of their pages
// (WeChat Pay v3).

var (
	outTradeNoForm  = regexp.MustCompile(`^[0-9A-Za-z_\-|*]*$`)
	outRefundNoForm = regexp.MustCompile(`^[0-9A-Za-z_\-|*@]*$`)
	timeForm        = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$`)
	dateForm        = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

func fieldOutTradeNo() fieldV3 {
	return textField("out_trade_no", "商户订单号", 32).least(6).as(outTradeNoForm)
}

func fieldTransactionID() fieldV3 { return textField("transaction_id", "微信支付订单号", 32) }

func fieldOutRefundNo() fieldV3 {
	return textField("out_refund_no", "商户退款单号", 64).as(outRefundNoForm)
}

func fieldSubMchID() fieldV3 { return textField("sub_mchid", "子商户号", 32) }

// merchantFields say who calls: a merchant, or a provider for a merchant.
func merchantFields(partner bool) []fieldV3 {
	if partner {
		return []fieldV3{textField("sp_mchid", "服务商户号", 32).must(), fieldSubMchID().must()}
	}
	return []fieldV3{textField("mchid", "商户号", 32).must()}
}

// prepayFields are the parameters of an order of a trade type.
func prepayFields(tradeType string, partner bool) []fieldV3 {
	who := []fieldV3{textField("appid", "公众号ID", 32).must()}
	if partner {
		who = []fieldV3{textField("sp_appid", "服务商公众号ID", 32).must(), textField("sub_appid", "子商户公众号ID", 32)}
	}
	fields := append(append(who, merchantFields(partner)...),
		textField("description", "商品描述", 127).must(),
		fieldOutTradeNo().must(),
		textField("time_expire", "交易结束时间", 64).as(timeForm),
		textField("attach", "附加数据", 128),
		textField("notify_url", "通知地址", 255).must(),
		textField("goods_tag", "订单优惠标记", 32),
		listField("limit_pay", "指定支付方式").oneOf("no_balance", "no_credit", "no_debit", "balance_only"),
		flagField("support_fapiao", "电子发票入口开放标识"),
		objectField("amount", "订单金额", numberField("total", "总金额", 1).must(), textField("currency", "货币类型", 16).oneOf("CNY")).must(),
	)
	if tradeType == "JSAPI" {
		payer := []fieldV3{textField("openid", "用户标识", 128)}
		if partner {
			payer = []fieldV3{textField("sp_openid", "用户服务标识", 128), textField("sub_openid", "用户子标识", 128)}
		}
		fields = append(fields, objectField("payer", "支付者", payer...))
	}
	settle := []fieldV3{flagField("profit_sharing", "是否指定分账")}
	if partner {
		settle = append(settle, numberField("subsidy_amount", "补差金额", 0))
	}
	return append(fields,
		objectField("detail", "优惠功能",
			numberField("cost_price", "订单原价", 0), textField("invoice_id", "商品小票ID", 32),
			listField("goods_detail", "单品列表",
				textField("merchant_goods_id", "商户侧商品编码", 32).must(), textField("wechatpay_goods_id", "微信支付商品编码", 32),
				textField("goods_name", "商品名称", 256), numberField("quantity", "商品数量", 1).must(), numberField("unit_price", "商品单价", 0).must())),
		sceneField(tradeType == "MWEB"),
		objectField("settle_info", "结算信息", settle...),
	)
}

func sceneField(h5 bool) fieldV3 {
	fields := []fieldV3{
		textField("payer_client_ip", "用户终端IP", 45).must(), textField("device_id", "商户端设备号", 32),
		objectField("store_info", "商户门店信息", textField("id", "门店编号", 32).must(), textField("name", "门店名称", 256),
			textField("area_code", "地区编码", 32), textField("address", "详细地址", 512)),
	}
	if !h5 {
		return objectField("scene_info", "场景信息", fields...)
	}
	h5Info := objectField("h5_info", "H5场景信息", textField("type", "场景类型", 32).oneOf("Wap", "iOS", "Android").must(),
		textField("app_name", "应用名称", 64), textField("app_url", "网站URL", 128),
		textField("bundle_id", "iOS平台BundleID", 128), textField("package_name", "Android平台PackageName", 128))
	return objectField("scene_info", "场景信息", append(fields, h5Info.must())...).must()
}

// refundFields are the parameters of a refund.
func refundFieldsV3() []fieldV3 {
	return []fieldV3{
		fieldSubMchID(), fieldTransactionID(), textField("out_trade_no", "商户订单号", 32).as(outTradeNoForm),
		fieldOutRefundNo().must(), textField("reason", "退款原因", 80), textField("notify_url", "退款结果回调url", 256),
		textField("funds_account", "退款资金来源", 32).oneOf("AVAILABLE", "UNSETTLED"),
		objectField("amount", "金额信息",
			numberField("refund", "退款金额", 1).must(),
			listField("from", "退款出资账户及金额", textField("account", "出资账户类型", 32).oneOf("AVAILABLE", "UNAVAILABLE").must(), numberField("amount", "出资金额", 1).must()),
			numberField("total", "原订单金额", 1).must(), textField("currency", "退款币种", 16).oneOf("CNY").must()).must(),
		listField("goods_detail", "退款商品",
			textField("merchant_goods_id", "商户侧商品编码", 32).must(), textField("wechatpay_goods_id", "微信支付商品编码", 32), textField("goods_name", "商品名称", 256),
			numberField("unit_price", "商品单价", 0).must(), numberField("refund_amount", "商品退款金额", 0).must(), numberField("refund_quantity", "商品退货数量", 1).must()),
	}
}

// abnormalFields are the parameters of a refund that goes another way.
func abnormalFields() []fieldV3 {
	return []fieldV3{
		fieldSubMchID(), fieldOutRefundNo().must(), textField("type", "异常退款处理方式", 32).oneOf("USER_BANK_CARD", "MERCHANT_BANK_CARD").must(),
		textField("bank_type", "开户银行", 16), textField("bank_account", "收款银行卡号", 1024), textField("real_name", "收款用户姓名", 1024),
	}
}

// tradeBillFields are the parameters of a trade bill.
func tradeBillFields() []fieldV3 {
	return []fieldV3{
		textField("bill_date", "账单日期", 10).as(dateForm).must(), fieldSubMchID(),
		textField("bill_type", "账单类型", 32).oneOf(billAll, billSuccess, billRefund), textField("tar_type", "压缩类型", 32).oneOf("GZIP"),
	}
}

// fundBillFields are the parameters of a fund-flow bill.
func fundBillFields() []fieldV3 {
	return []fieldV3{
		textField("bill_date", "账单日期", 10).as(dateForm).must(),
		textField("account_type", "资金账户类型", 32).oneOf("BASIC", "OPERATION", "FEES"), textField("tar_type", "压缩类型", 32).oneOf("GZIP"),
	}
}

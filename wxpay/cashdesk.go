package wxpay

import "context"

// CashDesk takes money from a payer who stands in front of us: v2 only, whose
// calls every merchant may make beside those of v3; payment codes in v3 are for
// some merchants, and WeChat's own texts differ on whether they exist. There
// is no notification; an error for which [IsUnknown] holds, [ErrUserPaying]
// among them, is cleared up by Query every few seconds for 45 s and, if that
// says nothing either, by Reverse until it says that it need not be repeated.
type CashDesk interface {
	// Micropay charges the payment code that the payer shows: 18 digits,
	// good once. o needs no OpenID, no NotifyURL and no TradeType.
	// ErrAuthCode and ErrDeclined: not paid; try with a new OutTradeNo.
	Micropay(ctx context.Context, o Order, authCode string) (Transaction, error)
	// Facepay charges the face code that the device got for o.OpenID.
	Facepay(ctx context.Context, o Order, faceCode string) (Transaction, error)
	// AuthInfo lets a face device work for a while.
	AuthInfo(ctx context.Context, d FaceDevice) (FaceAuth, error)
	// Reverse takes an order back: what was paid is refunded, what was not is
	// closed. Not sooner than 15 s after Micropay, not later than 7 days.
	// again: call it once more; the outcome is not certain yet.
	Reverse(ctx context.Context, r Ref) (again bool, err error)
	// AuthCodeToOpenID tells whose payment code it is. Afterwards only this
	// merchant can charge it.
	AuthCodeToOpenID(ctx context.Context, authCode string) (openID string, err error)
}

// FaceDevice is what a face device says of itself.
type FaceDevice struct {
	StoreID, StoreName string
	DeviceID           string
	Attach             string // JSON; may be empty
	RawData            string // getWxpayfaceRawdata of its SDK
}

// FaceAuth is the credential that the device's SDK wants.
type FaceAuth struct {
	Info      string
	ExpiresIn int // seconds
}

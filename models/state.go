package models

// State is where an order stands.
type State string

// The states of an order. How much was refunded is a sum, not a state.
const (
	Unpaid  State = "unpaid"
	Paid    State = "paid"
	Shipped State = "shipped"
	Done    State = "done"
	Closed  State = "closed"
)

// PayState is where one attempt to pay stands.
type PayState string

// The states of a payment.
const (
	PayCreated PayState = "created" // frozen here; WeChat may or may not know it
	PayPrepaid PayState = "prepaid" // WeChat gave a prepay id
	PayPaid    PayState = "paid"
	PayClosed  PayState = "closed"
	PayFailed  PayState = "failed" // WeChat refused it for good
)

// RefundState is where a refund stands.
type RefundState string

// The states of a refund.
const (
	RefundPending    RefundState = "pending" // promised here, not yet asked of WeChat
	RefundProcessing RefundState = "processing"
	RefundSucceeded  RefundState = "succeeded"
	RefundAbnormal   RefundState = "abnormal"
	RefundClosed     RefundState = "closed"
)

// moves are the allowed changes of an order. Closed to paid is the revival of
// an order whose payment came after the deadline; see ApplyPaid.
var moves = map[State][]State{
	Unpaid:  {Paid, Closed},
	Paid:    {Shipped},
	Shipped: {Done},
	Closed:  {Paid},
}

// payMoves are the allowed changes of a payment. Closed and failed to paid:
// WeChat's word that money moved outweighs what we concluded.
var payMoves = map[PayState][]PayState{
	PayCreated: {PayPrepaid, PayPaid, PayClosed, PayFailed},
	PayPrepaid: {PayPaid, PayClosed, PayFailed},
	PayClosed:  {PayPaid},
	PayFailed:  {PayPaid},
}

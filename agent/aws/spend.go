package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
)

// Prices in us-east-1 of what this package asks, in dollars, without the free tiers, which others of the account may use up.
// Source: CloudWatch and SQS pricing as three independent summaries give them, read 21 September 2026. Auto Scaling's calls
// cost nothing.
const (
	priceAlarms  = 0.01 / 1000 // a call
	priceFigures = 0.01 / 1000 // a metric asked for, however many points
	priceQueue   = 0.40 / 1_000_000
)

const hoursAMonth = 730

// ErrBudget says that a question was not asked since the month's budget is spent.
var ErrBudget = errors.New("aws.budget of this month is spent")

// meter adds up what our own questions cost within a month of UTC.
type meter struct {
	now    func() time.Time
	budget float64

	mu    sync.Mutex
	month time.Time
	spent float64
	rates map[string]float64 // dollars a month of what is asked whatever else is

	file  string    // where it outlives a restart; empty: it does not
	wrote time.Time // the last time
	fault error     // of reading or writing it
}

// spentKept is what of a meter outlives a restart.
type spentKept struct {
	Month   time.Time `json:"month"`
	Dollars float64   `json:"dollars"`
}

// spentEvery is how often what was spent is written: so much of it is forgotten when the process is killed.
const spentEvery = time.Minute

// maxSpentFile bounds what is read of it, in bytes.
const maxSpentFile = 64 << 10

// recall reads what was spent before.
func (m *meter) recall() {
	if m.file == "" {
		return
	}
	var k spentKept
	data, err := atomicfile.Read(m.file, maxSpentFile)
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err == nil && (k.Dollars < 0 || k.Dollars > mostBudget) {
		err = fmt.Errorf("want dollars up to %d, have %v", mostBudget, k.Dollars)
	}
	switch {
	case err == nil:
		m.month, m.spent = k.Month.UTC(), k.Dollars
	case !errors.Is(err, fs.ErrNotExist):
		m.fault = fmt.Errorf("what was spent this month is not known from before the start: %s: %w", m.file, err)
	}
}

// keep writes what was spent; m.mu is held.
func (m *meter) keep(now time.Time) {
	if m.file == "" {
		return
	}
	m.wrote = now
	data, err := json.Marshal(spentKept{m.month, m.spent})
	if err == nil {
		err = atomicfile.Write(m.file, data, 0o600)
	}
	if m.fault = err; err != nil {
		m.fault = fmt.Errorf("what is spent this month does not survive a restart: %w", err)
	}
}

// may prices n questions and says whether the budget bears them. Those that must (a queue's) are counted and always asked:
// an alarm that waits unread costs more than its call.
func (m *meter) may(price float64, n int, must bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UTC()
	if month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC); !month.Equal(m.month) {
		m.month, m.spent = month, 0
	}
	cost := price * float64(n)
	if !must && m.spent+cost > m.budget {
		return fmt.Errorf("%w: %.2f of %.2f dollars", ErrBudget, m.spent, m.budget)
	}
	m.spent += cost
	if now.Sub(m.wrote) >= spentEvery {
		m.keep(now)
	}
	return nil
}

// Keep writes what was spent, for whoever stops asking. Its error is that of the last time it was read or written.
func (a *Account) Keep() error {
	a.spent.mu.Lock()
	defer a.spent.mu.Unlock()
	if a.spent.spent > 0 {
		a.spent.keep(a.spent.now().UTC())
	}
	return a.spent.fault
}

// Fault is why what was spent is not known, or not kept, over a restart; nil: it is.
func (a *Account) Fault() error {
	a.spent.mu.Lock()
	defer a.spent.mu.Unlock()
	return a.spent.fault
}

// Spent is what our own questions cost in this month so far, in dollars at list prices: with Options.Spent over restarts, too.
func (a *Account) Spent() float64 {
	a.spent.mu.Lock()
	defer a.spent.mu.Unlock()
	return a.spent.spent
}

// Reserve notes what is asked whatever else is, in dollars a month.
func (a *Account) Reserve(what string, dollars float64) {
	a.spent.mu.Lock()
	defer a.spent.mu.Unlock()
	if a.spent.rates == nil {
		a.spent.rates = map[string]float64{}
	}
	a.spent.rates[what] = dollars
}

// Room is what the budget leaves for the rest, in dollars a month.
func (a *Account) Room() float64 {
	a.spent.mu.Lock()
	defer a.spent.mu.Unlock()
	room := a.spent.budget
	for _, r := range a.spent.rates {
		room -= r
	}
	return max(room, 0)
}

// AMonth is what n questions cost in a month that are asked again and again.
func AMonth(price float64, n int, every time.Duration) float64 {
	return price * float64(n) * hoursAMonth * time.Hour.Seconds() / every.Seconds()
}

// The prices of one question each, for AMonth.
const (
	PriceFigure = priceFigures // a metric of CloudWatch
	PriceList   = priceAlarms  // a page of ListMetrics
	PriceDepth  = priceQueue   // of a queue
)

// Item is what one kind of question costs in a month.
type Item struct {
	What    string
	Calls   float64
	Dollars float64
}

// Estimate is what the intake of alarms and the reading of groups ask in a month of 730 hours: a queue that is polled with
// nothing in it, alarms reconciled page by page, and groups.
func Estimate(queue, groups bool, alarms int) []Item {
	var out []Item
	add := func(what string, calls, price float64) { out = append(out, Item{what, calls, calls * price}) }
	if queue {
		polls := hoursAMonth * time.Hour.Seconds() / PollWait.Seconds()
		add("sqs:ReceiveMessage", polls, priceQueue)
		pages := float64((max(alarms, 1) + alarmsAPage - 1) / alarmsAPage)
		add(actionDescribe, hoursAMonth*time.Hour.Seconds()/ReconcileEvery.Seconds()*pages, priceAlarms)
	}
	if groups {
		add("autoscaling:DescribeAutoScalingGroups", hoursAMonth*time.Hour.Seconds()/GroupsEvery.Seconds(), 0)
	}
	return out
}

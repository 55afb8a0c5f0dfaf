package dispatch

import "github.com/navcloud/binnacle/alerting/ledger"

// Theirs keeps in the ledger what another Alertmanager notified somebody of, for `binnacle compare`. It does not block.
func (d *Dispatcher) Theirs(e ledger.Event) {
	e.Kind = ledger.Theirs
	d.book.put(nil, e)
}

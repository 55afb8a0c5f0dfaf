package capacity

import (
	"fmt"
	"math"
	"time"

	"github.com/navcloud/binnacle/agent/words"
)

// Report is all that is said of capacity at a time.
type Report struct {
	At      time.Time     `json:"at"` // zero until the first look
	Lead    time.Duration `json:"lead"`
	Note    string        `json:"note,omitempty"`  // of the operator
	Fault   string        `json:"fault,omitempty"` // why the last look failed
	Answers []Answer      `json:"answers"`         // the most urgent first
	// Undeclared are pools that are used, and whose limit nobody declared.
	Undeclared []string `json:"undeclared,omitempty"`
	Left       int      `json:"left,omitempty"` // instances of pools with more room than the fullest 50, which are not forecast
	Scaling    Scaling  `json:"scaling"`
}

// Scaling is how throughput grew with load, by the measurements N and X.
type Scaling struct {
	Load       string    `json:"load"` // in words
	Throughput string    `json:"throughput"`
	N          []float64 `json:"-"`
	X          []float64 `json:"-"`
	Law        Law       `json:"-"`
	Lacks      string    `json:"-"`     // why there is no Law
	Words      string    `json:"words"` // what is said of it
}

// Fit looks for the law.
func (s *Scaling) Fit() {
	var err error
	if s.Law, err = FitLaw(s.N, s.X); err != nil {
		s.Lacks = err.Error()
	}
	s.Words = s.String()
}

// String says what the law is, or why it is not known.
func (s Scaling) String() string {
	if s.Lacks != "" {
		return fmt.Sprintf("%s (%d measurements)", s.Lacks, len(s.N))
	}
	far := reach * s.Law.Seen
	if p, ok := s.Law.Peak(); ok {
		return fmt.Sprintf("throughput is highest at about %s %s", words.Short(p), s.Load)
	}
	lo, mid, hi, err := s.Law.At(far)
	_, seen, _, errSeen := s.Law.At(s.Law.Seen)
	if err != nil || errSeen != nil {
		return ErrReach.Error()
	}
	share := func(v float64) string { return fmt.Sprintf("%.0f %%", 100*math.Max(v/seen, 0)) }
	return fmt.Sprintf("at %s %s, half more than was seen, throughput is %s of that at the highest load seen (%s to %s); beyond that nothing is said",
		words.Short(far), s.Load, share(mid), share(lo), share(hi))
}

// At is the answer with a new reading: forecasts stand until they are made anew.
func (a Answer) At(r Reading) Answer {
	a.Reading, a.Use, a.Limit = r, r.Use(), r.Limit
	a.Buffer.Now = a.Pool.buffer(a.Limit, a.Use)
	if a.passed() {
		a.Until = Until{Within: 1}
	}
	return a
}

package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"
)

// Facts are what a node sees of the cluster that its services belong to, itself and its peers. Routers judge clusters from the
// facts of all members: who is cut off sees what nobody else does.

// PathFacts takes FactsPost.
const PathFacts = "/api/v1/facts"

const (
	factsEvery = 5 * time.Second
	// factsHold is for how long a router that took facts judges clusters instead of the node that sent them.
	factsHold = time.Minute
	// FactsExpire is after how many intervals without news facts are forgotten.
	FactsExpire   = 3
	maxFacts      = 5000 // of one node
	maxFactLabels = 32
)

// FactsPost is all that one node knows now. What was in the post before and is not in this one has ended.
type FactsPost struct {
	Node  string        `json:"node"`
	Every time.Duration `json:"every"` // between two posts, in ns
	Facts []Figure      `json:"facts"`

	By string `json:"-"` // who posted it: the login that was proved, else the address
}

// ErrOtherNode is the refusal of facts of a node that another login or address speaks for.
var ErrOtherNode = errors.New("another login speaks for this node")

// Figure is one series with its newest value.
type Figure struct {
	Name   string            `json:"n"`
	Labels map[string]string `json:"l"`
	Value  float64           `json:"v"`
}

// postFacts takes the facts of a node.
func (i *Intake) postFacts(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(headerRouter, cmp.Or(i.opts.Version, "devel"))
	if i.opts.Facts == nil {
		i.fail(w, http.StatusNotFound, errors.New("this router judges no clusters: its rules or its store are off"))
		return
	}
	var p FactsPost
	if err := read(w, r, maxBody, &p); err != nil {
		i.fail(w, status(err), err)
		return
	}
	p.Node = cutName(p.Node)
	if err := p.check(); err != nil {
		i.fail(w, http.StatusBadRequest, err)
		return
	}
	who := i.opts.Who(r)
	if p.By = who.From; who.Known() {
		p.By = who.Login
	}
	switch err := i.opts.Facts(r.Context(), p); {
	case errors.Is(err, ErrOtherNode):
		i.fail(w, http.StatusConflict, err)
		return
	case err != nil:
		i.fail(w, http.StatusServiceUnavailable, err)
		return
	}
	i.nodes.heard(r, time.Now())
	w.WriteHeader(http.StatusNoContent)
}

// check says what is wrong with a post as a whole: a node speaks for itself alone.
func (p *FactsPost) check() error {
	switch {
	case p.Node == "":
		return errors.New("node: is empty")
	case len(p.Facts) > maxFacts:
		return fmt.Errorf("facts: %d are more than %d", len(p.Facts), maxFacts)
	case p.Every < time.Second || p.Every > 5*time.Minute:
		return fmt.Errorf("every: %v is outside 1s to 5m", p.Every)
	}
	for n, f := range p.Facts {
		if f.Name == "" || len(f.Labels) > maxFactLabels || f.Labels["node"] != p.Node {
			return fmt.Errorf("facts[%d]: %.80q: want a name, at most %d labels and node=%q", n, f.Name, maxFactLabels, p.Node)
		}
	}
	return nil
}

// tellFacts posts this node's facts to one router until ctx ends.
func (c *Client) tellFacts(ctx context.Context, r *router) {
	ticker := time.NewTicker(factsEvery)
	defer ticker.Stop()
	said := "" // the failure that was logged last
	for {
		if facts := c.opts.Facts(); len(facts) > 0 || r.judges() {
			err := c.postFacts(ctx, r, facts)
			if text := fmt.Sprint(err); err != nil && text != said {
				c.opts.Log.Info("facts of clusters are not taken by a router", "router", r.url, "err", err)
				said = text
			} else if err == nil {
				said = ""
			}
			r.mu.Lock()
			if err == nil {
				r.judgedAt = time.Now()
			}
			r.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Client) postFacts(ctx context.Context, r *router, facts []Figure) error {
	p := FactsPost{Node: c.opts.Node, Every: factsEvery, Facts: make([]Figure, 0, len(facts))}
	for _, f := range facts {
		if !math.IsNaN(f.Value) && !math.IsInf(f.Value, 0) && len(p.Facts) < maxFacts {
			p.Facts = append(p.Facts, f)
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	resp, _, err := c.call(ctx, http.MethodPost, r.url+PathFacts, body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent || resp.Header.Get(headerRouter) == "" {
		return fmt.Errorf("%s: %s", r.url, resp.Status) // one of before there were facts, or of others: it is sent alarms alone
	}
	return nil
}

// judges says whether a router took facts lately, so that it judges clusters.
func (r *router) judges() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.judgedAt.IsZero() && time.Since(r.judgedAt) < factsHold
}

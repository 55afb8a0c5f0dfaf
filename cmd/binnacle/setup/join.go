package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/authority"
	"github.com/navcloud/binnacle/agent/words"
)

// Node is what a person decides of a node that joins.
type Node struct {
	Place
	URL   string // of the first router
	Token string // that works once
	Name  string // empty: the host's
	Again bool   // join although it has joined: the router lost its login
}

// Run makes this machine a node of the fleet of a router.
func (n Node) Run(ctx context.Context, w World) error {
	place, err := n.absolute()
	if err != nil {
		return err
	}
	n.Place = place
	if err := authority.Check(n.URL, n.Token); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	j := &job{World: w, Place: n.Place}
	if err := j.prepare(); err != nil {
		return err
	}
	if authority.Exists(authority.Dir(j.Data)) {
		return errors.New("this machine is a router with an authority of its own: `binnacle setup --undo` first; nothing was changed")
	}
	m, err := j.read()
	if err != nil {
		return err
	}
	url := strings.TrimSuffix(n.URL, "/")
	if routers, ok := m.at("rules", "routers"); ok {
		list, _ := routers.([]any)
		if !slices.Contains(list, any(url)) {
			return fmt.Errorf("this node has joined %v: `binnacle setup --undo` first; nothing was changed", routers)
		}
		why := authority.NodeOf(j.Data).Stale(n.Token, time.Now())
		if n.Again {
			why = "as asked"
		}
		if why == "" && authority.NodeOf(j.Data).Ready() {
			j.say("This node has joined %s; nothing was changed. If the router does not know its login any more, join with --again.", url)
			return j.start()
		}
		if why != "" {
			j.say("This node has joined %s and joins again: %s.", url, why)
		}
	}
	if err := n.decide(j, m, url); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	for _, step := range []func() error{
		j.account, j.folders, j.mainFile,
		func() error { return n.ask(ctx, j, m, url) },
		func() error { return j.writeFragment(m, func() error { _, err := j.check(ctx); return err }) },
	} {
		if err := step(); err != nil {
			return full(err)
		}
	}
	return j.start()
}

func (n Node) decide(j *job, m mine, url string) error {
	token := "${file:" + j.secret("router-token") + "}"
	ca := authority.NodeOf(j.Data).CA()
	errs := []error{m.want(j.Data, false, "data")}
	if n.Name != "" {
		errs = append(errs, m.want(n.Name, true, "node", "name"))
	}
	// Nothing is decided on a node: its alarms go to the routers, who page.
	for _, key := range [][]string{{"rules", "routers"}, {"rules", "login"}, {"ship", "remote_write"}} {
		if _, file, ok := m.theirs(key...); ok {
			errs = append(errs, fmt.Errorf("%s is set in %s: take it out there, joining sets it", strings.Join(key, "."), file))
		}
	}
	m.put([]any{url}, "rules", "routers")
	m.put(map[string]any{"bearer": token, "ca_file": ca}, "rules", "login")
	m.put(map[string]any{"url": url + "/api/v1/write", "bearer": token, "ca_file": ca}, "ship", "remote_write")
	return errors.Join(append(errs, found(j, m))...)
}

// ask joins. From then on the token is used up; what was answered is kept first of all.
func (n Node) ask(ctx context.Context, j *job, m mine, url string) error {
	name := n.Name
	if name == "" {
		name = nodeName(m)
	}
	got, err := authority.Join(ctx, url, n.Token, name, authority.NodeOf(j.Data))
	if err != nil {
		return fmt.Errorf("%s did not take this node in: %w", url, err)
	}
	if _, err := j.write(j.secret("router-token"), []byte(got.Token+"\n")); err != nil {
		return fmt.Errorf("%w; the token is used up: `binnacle token join %s` on the router makes a new one", err, name)
	}
	j.did("joined %s as %s: a certificate, and a login of its own", url, got.Name)
	if off := got.Ahead.Abs(); off > time.Minute {
		side := map[bool]string{true: "ahead of", false: "behind"}[got.Ahead > 0]
		j.say("The clock of the router is %s %s this machine's: set the one that is wrong, since alarms and samples carry times.", words.Duration(off), side)
	}
	return nil
}

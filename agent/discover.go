package agent

import (
	"context"
	"maps"
	"time"

	"github.com/navcloud/binnacle/agent/inventory"
)

// whereabouts is where the agent looks for who it is; tests look elsewhere.
type whereabouts struct{ root, metadata string }

// askAgain is how long it waits after a question that was not answered, and askTimes how often it asks in all.
const (
	askAgain = time.Minute
	askTimes = 5
)

// discover asks an EC2 instance for what nobody wrote into the configuration, and puts it into force. Nothing waits for it, and
// elsewhere nobody is asked.
func (a *Agent) discover(ctx context.Context) error {
	if !inventory.OnEC2(a.where.root) {
		return nil
	}
	for n := 1; ; n++ {
		i, err := inventory.Ask(ctx, a.where.metadata, nil)
		if i.ID != "" {
			a.log.Info("this is an EC2 instance", "instance", i.ID, "type", i.Type, "az", i.AZ, "group", i.Group, "stack", i.Stack)
			return a.settleIn(ctx, i)
		}
		if err == nil || n == askTimes || ctx.Err() != nil {
			return err
		}
		a.log.Warn("the instance metadata does not answer; in a container its hop limit must be 2", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(askAgain):
		}
	}
}

// settleIn puts the configuration in force once more, with what the instance knows.
func (a *Agent) settleIn(ctx context.Context, i inventory.Instance) error {
	a.mu.Lock()
	a.instance = i
	a.mu.Unlock()
	if err := a.again(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// instanceID is who this node is at EC2; empty: nobody, or it does not know yet.
func (a *Agent) instanceID() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.instance.ID
}

// placed returns tags with those that the instance knows and the configuration does not say.
func (a *Agent) placed(tags map[string]string) map[string]string {
	a.mu.Lock()
	i := a.instance
	a.mu.Unlock()
	out := maps.Clone(tags)
	for k, v := range map[string]string{"az": i.AZ, "group": i.Group, "stack": i.Stack} {
		if _, said := out[k]; said || v == "" {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = v
	}
	return out
}

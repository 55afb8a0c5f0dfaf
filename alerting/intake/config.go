package intake

import (
	"fmt"
	"maps"
	"slices"
)

// Config is the section intake: what is taken in from others beside Alertmanager's API, which is always there.
type Config struct {
	Heartbeats map[string]HeartbeatConfig `yaml:"heartbeats"` // by name: who must be heard
	AWS        AWSConfig                  `yaml:"aws"`        // CloudWatch's alarms, Auto Scaling's and AWS Health's events
	SNS        SNSConfig                  `yaml:"sns"`        // as aws.sns, which came later
}

// topics are those that may post to us, wherever they are written.
func (c Config) topics() SNSConfig {
	return SNSConfig{Topics: append(slices.Clone(c.SNS.Topics), c.AWS.SNS.Topics...), RequireV2: c.SNS.RequireV2 || c.AWS.SNS.RequireV2}
}

// cloudWatch says whether anything of AWS is taken in.
func (c Config) cloudWatch() bool { return c.AWS.Queue != "" || len(c.topics().Topics) > 0 }

// Validate says what is out of bounds.
func (c Config) Validate() error {
	if n := len(c.Heartbeats); n > maxHeartbeats/2 {
		return fmt.Errorf("heartbeats: %d are more than %d", n, maxHeartbeats/2)
	}
	ids := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Heartbeats)) {
		h := c.Heartbeats[name]
		if name == "" || len(name) > 100 {
			return fmt.Errorf("heartbeats: want a name of 1 to 100 characters, have %q", name)
		}
		if other := ids[h.ID]; h.ID != "" && other != "" {
			return fmt.Errorf("heartbeats: %s and %s have one id", other, name)
		}
		ids[h.ID] = name
	}
	return nil
}

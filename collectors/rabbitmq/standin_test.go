package rabbitmq

import (
	"testing"
	"time"

	"github.com/navcloud/binnacle/collectors/collectorstest"
)

// TestStandInAnswersEverything holds that the stand-in answers all that a real broker of its version answers, in every
// situation: a question that it does not know looks like a blind check.
func TestStandInAnswersEverything(t *testing.T) {
	for _, situation := range collectorstest.RabbitMQSituations() {
		t.Run(situation, func(t *testing.T) {
			playRabbitmq(t, func(t *testing.T, w *watch) {
				w.s.Play(situation)
				w.collect(t, time.Minute)
				for node, c := range w.node {
					r := c.(*collector)
					r.mu.Lock()
					for _, one := range r.set.All() {
						if answerOf(one) == answerMissing {
							t.Errorf("%s: %s is missing: %v", node, one.Name, one.Err())
						}
					}
					r.mu.Unlock()
				}
			})
		})
	}
}

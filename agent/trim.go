package agent

import (
	"context"
	"time"
)

// trimEvery is how often pages of the program's file that nothing needs any more are given back: those of the start
// soon after it.
var trimEvery = []time.Duration{20 * time.Second, 40 * time.Second, 2 * time.Minute, 10 * time.Minute}

func trimNowAndThen(ctx context.Context) error {
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(trimEvery[min(i, len(trimEvery)-1)]):
			if err := trim(); err != nil {
				return err
			}
		}
	}
}

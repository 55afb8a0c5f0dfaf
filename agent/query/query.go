// Package query has the words in which parts of the agent ask a store and are answered. It knows no store.
package query

import (
	"context"
	"sync"
	"time"
)

// Point is a value at a time.
type Point struct {
	T time.Time
	V float64
}

// Series is one series of an answer, points in order of time.
type Series struct {
	Labels map[string]string
	Points []Point
}

// Func evaluates PromQL at one time.
type Func func(ctx context.Context, promql string, at time.Time) ([]Series, error)

// RangeFunc evaluates PromQL at each step from start to end, both included.
type RangeFunc func(ctx context.Context, promql string, start, end time.Time, step time.Duration) ([]Series, error)

// Last is the newest value of a series; 0 where it has none.
func Last(s Series) float64 {
	if len(s.Points) == 0 {
		return 0
	}
	return s.Points[len(s.Points)-1].V
}

// All asks all queries at once. What failed has no answer, not an empty one. The error is that of the first by name that failed.
func All(ctx context.Context, ask Func, queries map[string]string, at time.Time) (map[string][]Series, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	got, worst, first := map[string][]Series{}, "", error(nil)
	for name, q := range queries {
		wg.Go(func() {
			s, err := ask(ctx, q, at)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got[name] = s
			} else if first == nil || name < worst {
				worst, first = name, err
			}
		})
	}
	wg.Wait()
	return got, first
}

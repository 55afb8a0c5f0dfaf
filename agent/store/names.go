package store

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/tsdb"
)

// names knows which metrics are in the blocks of the database, which do not change: they are read when there are others.
type names struct {
	mu     sync.Mutex
	blocks []*tsdb.Block // that were read
	of     map[string]bool
}

// Has says whether the store may have a sample of a metric, however old: a rule about what it has not need not ask. Where it
// cannot be known, as while history is being read, it may.
func (s *Store) Has(metric string) bool {
	has := true
	err := guard(func() error {
		s.disk.gate.RLock()
		defer s.disk.gate.RUnlock()
		s.disk.mu.RLock()
		defer s.disk.mu.RUnlock()
		if s.disk.db == nil {
			return ErrOpening
		}
		for _, db := range s.disk.open2() {
			in, err := inHead(db, metric)
			if in || err != nil {
				return err
			}
		}
		var err error
		has, err = s.names.inBlocks(s.disk.db, metric)
		return err
	})
	return has || err != nil
}

// inHead asks the index of what is in memory.
func inHead(db *tsdb.DB, metric string) (bool, error) {
	ix, err := db.Head().Index()
	if err != nil {
		return false, err
	}
	p, err := ix.Postings(context.Background(), model.MetricNameLabel, metric)
	if err != nil {
		_ = ix.Close()
		return false, err
	}
	in := p.Next()
	return in, ix.Close()
}

func (n *names) inBlocks(db *tsdb.DB, metric string) (bool, error) {
	blocks := db.Blocks()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil || !slices.Equal(n.blocks, blocks) {
		of, err := namesOf(blocks)
		if err != nil {
			return false, err
		}
		n.of, n.blocks = of, blocks
	}
	return n.of[metric], nil
}

// namesOf reads the names out of the blocks; they must outlive what they are mapped from.
func namesOf(blocks []*tsdb.Block) (map[string]bool, error) {
	of := map[string]bool{}
	for _, b := range blocks {
		ix, err := b.Index()
		if err != nil {
			return nil, err
		}
		values, err := ix.LabelValues(context.Background(), model.MetricNameLabel, nil)
		for _, v := range values {
			if !of[v] {
				of[strings.Clone(v)] = true
			}
		}
		if cerr := ix.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, err
		}
	}
	return of, nil
}

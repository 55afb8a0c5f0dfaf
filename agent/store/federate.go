package store

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// maxFederated bounds the series of one answer.
const maxFederated = 100_000

// federate answers as Prometheus' /federate does: the last sample of the series that any match[] selects, with its time. Native
// histograms are left out: the query API has them.
func (s *Store) federate(w http.ResponseWriter, r *http.Request) {
	families, err := s.federated(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.expose(w, expfmt.NegotiateAccept(r.Header, expfmt.DefaultAcceptedFormats()...), families)
}

func (s *Store) federated(r *http.Request) ([]*dto.MetricFamily, error) {
	selectors, err := Parser().ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return nil, err
	}
	now := s.opts.Now()
	q, err := s.read.Querier(now.Add(-current).UnixMilli(), now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer func() { _ = q.Close() }() // it was only read
	families, seen := map[string]*dto.MetricFamily{}, map[uint64]bool{}
	for _, ms := range selectors {
		set := q.Select(r.Context(), true, nil, ms...)
		for set.Next() {
			if err := r.Context().Err(); err != nil {
				return nil, err
			}
			ls := set.At().Labels()
			if seen[ls.Hash()] {
				continue
			}
			seen[ls.Hash()] = true
			if len(seen) > maxFederated {
				return nil, fmt.Errorf("more than %d series: select fewer", maxFederated)
			}
			at, v, ok := last(set.At().Iterator(nil))
			if !ok {
				continue
			}
			name := ls.Get(model.MetricNameLabel)
			if families[name] == nil {
				families[name] = &dto.MetricFamily{Name: ptr(name), Type: dto.MetricType_UNTYPED.Enum()}
			}
			families[name].Metric = append(families[name].Metric, federatedMetric(ls, at, v))
		}
		if err := set.Err(); err != nil {
			return nil, err
		}
	}
	out := make([]*dto.MetricFamily, 0, len(families))
	for _, f := range families {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out, nil
}

// last is the last sample of a series that is a number and no end.
func last(it chunkenc.Iterator) (at int64, v float64, ok bool) {
	for t := it.Next(); t != chunkenc.ValNone; t = it.Next() {
		if t == chunkenc.ValFloat {
			at, v = it.At()
			ok = !value.IsStaleNaN(v)
		}
	}
	return at, v, ok
}

func federatedMetric(ls labels.Labels, at int64, v float64) *dto.Metric {
	m := &dto.Metric{Untyped: &dto.Untyped{Value: ptr(v)}, TimestampMs: ptr(at)}
	if !ls.Has("instance") {
		m.Label = append(m.Label, &dto.LabelPair{Name: ptr("instance"), Value: ptr("")}) // as Prometheus: the scraper puts none of its own
	}
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			m.Label = append(m.Label, &dto.LabelPair{Name: ptr(l.Name), Value: ptr(l.Value)})
		}
	})
	return m
}

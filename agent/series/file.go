package series

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/metric"
)

// row is one source or one series in the file: a line of JSON. The last line is a trailer.
type row struct {
	From string        `json:"from,omitempty"` // of a source
	Base metric.Labels `json:"base,omitempty"`
	Was  metric.Labels `json:"was,omitempty"` // its base before

	Name   string            `json:"name"`
	Labels metric.Labels     `json:"labels,omitempty"`
	Desc   metric.Desc       `json:"desc"`
	Native metric.Labels     `json:"native,omitempty"`
	Told   int64             `json:"told"`
	Last   int64             `json:"last"`
	Value  float64           `json:"value,omitempty"`
	Given  float64           `json:"given,omitempty"` // as given out
	Sum    *metric.Histogram `json:"sum,omitempty"`
	Held   bool              `json:"held,omitempty"` // it was not given out
	Fell   bool              `json:"fell,omitempty"`
	Feeds  []feedRow         `json:"feeds,omitempty"` // counters: their next reading is compared with this one
}

type feedRow struct {
	From   string        `json:"from"`
	Name   string        `json:"name"`
	Unit   metric.Unit   `json:"unit,omitempty"`
	Labels metric.Labels `json:"labels,omitempty"`
	Raw    float64       `json:"raw"`
	At     int64         `json:"at"`
	Offset float64       `json:"offset,omitempty"`
	Tail   bool          `json:"tail,omitempty"`
	Was    bool          `json:"was,omitempty"` // under the base before
}

// trailer ends the file, which is whole only with it.
type trailer struct {
	End  bool   `json:"end"`
	Rows int    `json:"rows"`
	Sum  uint32 `json:"crc32"` // of all that stands before
}

// Save writes what Load reads. It is called when nothing more is collected, and all that was given out is on its way.
func (r *Registry) Save(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := atomicfile.Fill(path, 0o640, r.write); err != nil {
		return fmt.Errorf("totals: %w", err)
	}
	return nil
}

func (r *Registry) write(w io.Writer) error {
	sum := crc32.NewIEEE()
	all := io.MultiWriter(w, sum)
	rows := 0
	for _, e := range r.rows() {
		line, err := json.Marshal(e)
		if err != nil {
			continue // a sum that overflowed: it begins anew
		}
		if _, err := all.Write(append(line, '\n')); err != nil {
			return err
		}
		rows++
	}
	end, err := json.Marshal(trailer{true, rows, sum.Sum32()})
	if err != nil {
		return err
	}
	_, err = w.Write(append(end, '\n'))
	return err
}

// rows returns the sources, and the series after them.
func (r *Registry) rows() []*row {
	var rows []*row
	for name, src := range r.sources {
		rows = append(rows, &row{From: name, Base: src.base, Was: src.wasBase})
	}
	by := map[*Series]*row{}
	for _, s := range r.series {
		for ; s != nil; s = s.next {
			if classOf(s.Desc.Kind) == gauge || s.feeds == 0 && s.touch < r.claims[s.Name].turned {
				continue
			}
			by[s] = &row{
				Name: s.Name, Labels: s.Labels, Desc: *s.Desc, Native: s.native(), Told: s.told, Last: s.last, Value: s.value, Given: s.given, Sum: s.sum, Held: s.moved, Fell: s.fell,
			}
			rows = append(rows, by[s])
		}
	}
	for name, src := range r.sources {
		for was, feeds := range map[bool]map[uint64]*feed{false: src.feeds, true: src.wasFeeds} {
			for _, f := range feeds {
				for ; f != nil; f = f.next {
					if e := by[f.Series]; e != nil && f.desc.Kind == metric.Counter {
						e.Feeds = append(e.Feeds, feedRow{name, f.desc.Name, f.desc.Unit, f.labels, f.raw, f.rawAt, f.offset, f.tail == f, was})
					}
				}
			}
		}
	}
	return rows
}

// maxFile bounds what is read of what was saved, in bytes: a series takes some 300.
const maxFile = 1 << 30

// Load reads what Save left and takes it away: a file of an agent that went on and crashed is older than what that gave
// out, and its totals would look like counters that began anew. A file that is not whole is set aside, as path.damaged,
// and an error; one that cannot be taken away is not used. No file is no error.
func (r *Registry) Load(path string) error {
	body, err := atomicfile.Read(path, maxFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("totals: %w", err)
	}
	rows, err := decode(body)
	if err != nil {
		return fmt.Errorf("totals begin at zero: %s is damaged and set aside: %w", path, errors.Join(err, os.Rename(path, path+".damaged")))
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("totals begin at zero: their file must not be read twice: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range rows {
		r.restore(&rows[i])
	}
	return nil
}

func decode(body []byte) ([]row, error) {
	body = bytes.TrimSuffix(body, []byte("\n"))
	at := bytes.LastIndexByte(body, '\n') + 1
	var end trailer
	if err := json.Unmarshal(body[at:], &end); err != nil || !end.End {
		return nil, errors.New("its end is missing")
	}
	if crc32.ChecksumIEEE(body[:at]) != end.Sum {
		return nil, errors.New("its checksum does not fit")
	}
	var rows []row
	for line := range bytes.Lines(body[:at]) {
		var e row
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		rows = append(rows, e)
	}
	if len(rows) != end.Rows {
		return nil, fmt.Errorf("it has %d rows in place of %d", len(rows), end.Rows)
	}
	return rows, nil
}

// restore takes a row: a source, or a series, which is asleep.
func (r *Registry) restore(e *row) {
	if e.From != "" {
		src := r.source(e.From)
		src.base, src.wasBase, src.wasFeeds = e.Base, e.Was, map[uint64]*feed{}
		return
	}
	c := classOf(e.Desc.Kind)
	s := &Series{
		Name: e.Name, Labels: e.Labels, Desc: &e.Desc, said: apart(e.Native, e.Labels), hash: hashOf(c, "", e.Name, e.Labels), listed: true,
		told: e.Told, last: e.Last, value: e.Value, given: e.Given, sum: e.Sum, givenSum: e.Sum, moved: e.Held, fell: e.Fell,
	}
	if s.told == 0 {
		s.givenSum = nil // it never appeared
	}
	for at := r.series[s.hash]; at != nil; at = at.next {
		if at.Name == s.Name && equal(at.Labels, s.Labels) && classOf(at.Desc.Kind) == c {
			return
		}
	}
	s.next = r.series[s.hash]
	r.series[s.hash] = s
	r.asleep++
	if s.moved {
		r.held = append(r.held, s)
	}
	if r.claims[s.Name] == nil {
		r.claims[s.Name] = &claim{name: s.Name, class: c, desc: s.Desc}
	}
	r.claims[s.Name].asleep++
	for _, fr := range e.Feeds {
		d := &metric.Desc{Name: fr.Name, Kind: metric.Counter, Unit: fr.Unit}
		src := r.source(fr.From)
		f := &feed{Series: s, desc: d, labels: fr.Labels, raw: fr.Raw, rawAt: fr.At, offset: fr.Offset}
		if fr.Tail {
			s.tail = f
		}
		f.hash = hashOf(class(d.Kind), d.Unit, d.Name, f.labels)
		feeds := src.feeds
		if fr.Was {
			feeds = src.wasFeeds
		}
		f.next = feeds[f.hash]
		feeds[f.hash] = f
	}
}

package riak

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/navcloud/binnacle/collectors/host"
)

// figures is the answer of /stats, field by field as it came: numbers, texts, lists, and texts where numbers
// belong ("undefined" for what did not happen yet).
type figures map[string]json.RawMessage

// number returns a field that is there and is a number, or a text that is one.
func (s figures) number(key string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.Trim(string(s[key]), `"`), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// text returns a field that is a text, or "".
func (s figures) text(key string) string {
	var v string
	if json.Unmarshal(s[key], &v) != nil {
		return ""
	}
	return v
}

// maxMembers bounds the series that one answer makes. The largest clusters told of have about 100.
const maxMembers = 500

// names returns a field that is a list of texts, sorted, and whether it is one. An entry that is no text costs itself alone,
// and is handed to reject; so is a field that is no list.
func (s figures) names(key string, reject func(reason, line string)) (v []string, ok bool) {
	var all []json.RawMessage
	if err := json.Unmarshal(s[key], &all); err != nil || all == nil {
		reject(key, string(s[key]))
		return nil, false
	}
	for _, raw := range all[:min(len(all), maxMembers)] {
		var name string
		if json.Unmarshal(raw, &name) != nil || name == "" {
			reject(key, string(raw))
			continue
		}
		v = append(v, name)
	}
	slices.Sort(v)
	return slices.Compact(v), true
}

// ownerTerm is {'riak1@10.0.0.1',6} in a list of Erlang terms; an atom of plain letters has no quotes.
var ownerTerm = regexp.MustCompile(`\{'?([^',{}\s]+)'?\s*,\s*(\d+)\}`)

// owners returns how many partitions each member owns.
func (s figures) owners() map[string]float64 {
	out := map[string]float64{}
	for _, m := range ownerTerm.FindAllStringSubmatch(s.text("ring_ownership"), maxMembers) {
		if n, err := strconv.ParseFloat(m[2], 64); err == nil {
			out[m[1]] = n
		}
	}
	return out
}

// figures appends all that an answer of /stats tells.
func (r *collector) figures(o output, s figures) {
	o.add(descStatsFields, float64(len(s)))
	version := s.text("riak_kv_version")
	o.add(descInfo, 1, "version", version, "otp", s.text("sys_otp_release"), "backend", strings.TrimSuffix(strings.TrimPrefix(s.text("storage_backend"), "riak_kv_"), "_backend"))
	for _, f := range statsFields {
		v, ok := s.number(f.key)
		if f.samples != "" {
			n, _ := s.number(f.samples)
			ok = ok && n > 0 // 0 means none: no sample, no time
		}
		if ok {
			o.add(f.desc, v/f.per, f.labels...)
		}
	}
	r.restarted(s)
	r.ring(o, s)
	r.disk(o, s)
}

// restartTotals begin again with a node, and with nothing else.
var restartTotals = []string{
	"node_gets_total", "node_puts_total", "vnode_gets_total", "vnode_puts_total", "pbc_connects_total", "rings_reconciled_total",
}

// restarted counts a restart where a total fell since the last answer, however long ago that was.
func (r *collector) restarted(s figures) {
	fell := false
	for _, key := range restartTotals {
		if v, ok := s.number(key); ok {
			fell = fell || v < r.totals[key]
			r.totals[key] = v
		}
	}
	if fell {
		r.mu.Lock()
		r.restarts++
		r.mu.Unlock()
	}
}

// settled is how long after a change of owners vnodes may run for partitions that are on their way.
const settled = 10 * time.Minute

// ring appends how the node sees its cluster. A dead member stays in the ring, and nodes that are no members are
// connected too: only the two lists together tell.
func (r *collector) ring(o output, s figures) {
	self, owners := s.text("nodename"), s.owners()
	r.mu.Lock()
	r.name = self
	r.mu.Unlock()
	o.add(descMemberSelf, 1, "member", self)
	members, is := s.names("ring_members", r.env.Reject)
	connected, told := s.names("connected_nodes", r.env.Reject)
	if !is || !told || len(members) == 0 { // who sees whom is not known: nobody is called away for that
		return
	}
	o.add(descMembers, float64(len(members)))
	n := 0
	for _, m := range members {
		_, ok := slices.BinarySearch(connected, m)
		if m == self {
			n++
			continue
		}
		if ok {
			n++
		}
		o.b.Bool(descMemberConnected, ok, "cluster", o.cluster, "member", m)
	}
	o.add(descConnected, float64(n))
	r.noteFigures(s, len(members), n, owners, self)
	h := fnv.New32a()
	for _, m := range members {
		_, _ = h.Write([]byte(m + "=" + strconv.FormatFloat(owners[m], 'f', 0, 64) + "\n"))
		if _, ok := owners[m]; ok {
			o.add(descOwned, owners[m], "owner", m)
		}
	}
	o.add(descRingView, float64(h.Sum32()))

	now := r.env.Now()
	if view := string(s["ring_ownership"]); view != r.owners {
		if r.owners != "" {
			r.changed = now
		}
		r.owners = view
	}
	running, ok := s.number("riak_kv_vnodes_running")
	if own, mine := owners[self]; ok && mine && (r.changed.IsZero() || now.Sub(r.changed) >= settled) {
		o.add(descFallback, max(running-own, 0))
	}
}

// disk appends the file system that the data lie on: the longest mount that is above the directory.
func (r *collector) disk(o output, s figures) {
	var all []json.RawMessage
	if json.Unmarshal(s["disk"], &all) != nil {
		return
	}
	found, mount, size, used := false, "", 0.0, 0.0
	for _, raw := range all {
		var d figures
		_ = json.Unmarshal(raw, &d) // of what is no object nothing is a number
		id := d.text("id")
		kib, hasSize := d.number("size")
		percent, hasUsed := d.number("used") // whole numbers
		if !hasSize || !hasUsed {
			r.env.Reject("disk", string(raw))
			continue
		}
		above := id == r.opt.DataDir || strings.HasPrefix(r.opt.DataDir, strings.TrimSuffix(id, "/")+"/")
		if above && (!found || len(id) > len(mount)) {
			found, mount, size, used = true, id, kib*1024, percent/100
		}
	}
	if !found {
		return
	}
	r.node.diskUsed = used
	if size, free, ok := host.DiskOf(context.Background(), r.env.Root, r.opt.DataDir); ok && r.near {
		r.node.diskUsed = 1 - free/size
	}
	o.add(descDiskUsed, used, "mount", mount)
	o.add(descDiskSize, size, "mount", mount)
}

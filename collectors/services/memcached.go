package services

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

// What memcached says of itself. Source: memcached 1.6, doc/protocol.txt, "General-purpose statistics", read 30 November 2026.
var (
	memcachedItems     = &metric.Desc{Name: "memcached_items", Help: "Items"}
	memcachedBytes     = &metric.Desc{Name: "memcached_bytes", Unit: metric.Bytes, Help: "Memory: used by items, and limit; slabs fill one by one, so that items are evicted long before used is the limit"}
	memcachedEvictions = &metric.Desc{Name: "memcached_evictions_total", Kind: metric.Counter, Help: "Items that were let go for want of room"}
	memcachedUnfetched = &metric.Desc{Name: "memcached_evicted_unfetched_total", Kind: metric.Counter, Help: "Items that were let go before anybody asked for them"}
	memcachedNoMemory  = &metric.Desc{Name: "memcached_outofmemory_total", Kind: metric.Counter, Help: "Times that an item found no room, by class of size (slab)"}
	memcachedAge       = &metric.Desc{Name: "memcached_item_age_seconds", Unit: metric.Seconds, Help: "Age of the oldest item, by class of size (slab): how long the cache remembers"}
	memcachedLookups   = &metric.Desc{Name: "memcached_lookups_total", Kind: metric.Counter, Help: "Lookups by operation and result: hit, miss"}
	memcachedConns     = &metric.Desc{Name: "memcached_connections", Help: "Connections"}
	memcachedConnLimit = &metric.Desc{Name: "memcached_connections_limit", Help: "Most connections (-c); descriptors that it keeps for itself are among them"}
	memcachedRejected  = &metric.Desc{Name: "memcached_rejected_connections_total", Kind: metric.Counter, Help: "Connections that were refused for the limit, looks of our own among them"}
	memcachedDisabled  = &metric.Desc{Name: "memcached_listen_disabled_total", Kind: metric.Counter, Help: "Times that it stopped to accept connections for the limit (without maxconns_fast)"}
	memcachedStores    = &metric.Desc{Name: "memcached_store_errors_total", Kind: metric.Counter, Help: "Items that were not stored: too_large, no_memory"}
	memcachedStart     = &metric.Desc{Name: "memcached_start_time_seconds", Unit: metric.Seconds, Help: "When the server started"}
)

// Memcached is asked by its text protocol.
var Memcached = system{
	name: "memcached", schemes: map[string]string{"tcp": "11211", "tcps": "11211", "memcached": "11211", "unix": ""},
	found: "tcp://127.0.0.1:11211", missing: `write collect.memcached: {url: "tcp://127.0.0.1:11211", user: USER, password: "${file:...}"}, with a line of its file of passwords (-Y)`,
	descs: []*metric.Desc{
		memcachedItems, memcachedBytes, memcachedEvictions, memcachedUnfetched, memcachedNoMemory, memcachedAge, memcachedLookups, memcachedConns,
		memcachedConnLimit, memcachedRejected, memcachedDisabled, memcachedStores, memcachedStart,
	},
	look: lookMemcached,
}.spec()

func lookMemcached(ctx context.Context, t *target, b *batch) error {
	request := "stats\r\nstats items\r\nquit\r\n"
	if !t.Password.IsZero() {
		login := t.User + " " + t.Password.Reveal()
		request = fmt.Sprintf("set x 0 0 %d\r\n%s\r\n", len(login), login) + request
	}
	text, err := t.ask(ctx, request)
	if err != nil {
		return err
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	switch word = strings.TrimSpace(word); {
	case strings.HasPrefix(word, "ERROR Too many open connections"):
		return inState(stateFull, "%s", word)
	case strings.HasPrefix(word, "CLIENT_ERROR unauthenticated"), strings.HasPrefix(word, "CLIENT_ERROR authentication failure"):
		return inState(stateUnauthorised, "%s", word)
	case word == "STORED":
		text = rest // the login
	}
	stats := map[string]float64{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "STAT" {
			continue
		}
		if v, err := strconv.ParseFloat(f[2], 64); err == nil {
			stats[f[1]] = v
		}
	}
	if _, ok := stats["curr_connections"]; !ok {
		return fmt.Errorf("stats: want curr_connections, have %.60q", text)
	}
	memcachedFigures(stats, b)
	return nil
}

var memcachedKeys = []struct {
	key string
	d   *metric.Desc
	kv  []string
}{
	{"curr_items", memcachedItems, nil},
	{"bytes", memcachedBytes, []string{"state", "used"}},
	{"limit_maxbytes", memcachedBytes, []string{"state", "limit"}},
	{"evictions", memcachedEvictions, nil},
	{"evicted_unfetched", memcachedUnfetched, nil},
	{"get_hits", memcachedLookups, []string{"op", "get", "result", "hit"}},
	{"get_misses", memcachedLookups, []string{"op", "get", "result", "miss"}},
	{"delete_hits", memcachedLookups, []string{"op", "delete", "result", "hit"}},
	{"delete_misses", memcachedLookups, []string{"op", "delete", "result", "miss"}},
	{"touch_hits", memcachedLookups, []string{"op", "touch", "result", "hit"}},
	{"curr_connections", memcachedConns, nil},
	{"max_connections", memcachedConnLimit, nil},
	{"rejected_connections", memcachedRejected, nil},
	{"listen_disabled_num", memcachedDisabled, nil},
	{"store_too_large", memcachedStores, []string{"reason", "too_large"}},
	{"store_no_memory", memcachedStores, []string{"reason", "no_memory"}},
}

func memcachedFigures(stats map[string]float64, b *batch) {
	for _, f := range memcachedKeys {
		if v, ok := stats[f.key]; ok {
			b.add(f.d, v, f.kv...)
		}
	}
	if up, ok := stats["uptime"]; ok {
		b.add(memcachedStart, float64(b.Time.Unix())-up)
	}
	for key, v := range stats {
		rest, ok := strings.CutPrefix(key, "items:")
		slab, what, more := strings.Cut(rest, ":")
		if _, err := strconv.Atoi(slab); !ok || !more || err != nil {
			continue
		}
		switch what {
		case "outofmemory":
			b.add(memcachedNoMemory, v, "slab", slab)
		case "age":
			b.add(memcachedAge, v, "slab", slab)
		}
	}
}

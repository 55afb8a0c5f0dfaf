package capacity

import (
	"math"
	"strings"
	"testing"
	"time"
)

func labels(kv ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i]] = kv[i+1]
	}
	return m
}

// perNode is the pool of streams with 400 for each node.
func perNode(t *testing.T) Pool {
	t.Helper()
	for _, p := range Pools() {
		if p.Name == "streams_per_node" {
			p.Declared = 400
			return p
		}
	}
	t.Fatal("no pool streams_per_node")
	return Pool{}
}

// zoned is its reading: 5 nodes in two zones.
func zoned(t *testing.T, use float64) (Pool, Reading) {
	t.Helper()
	p := perNode(t)
	rs := p.Read(
		[]Sample{{labels("stack", "s", "az", "b"), use / 2}, {labels("stack", "s", "az", "a"), use / 2}, {labels("stack", "broken", "az", "a"), math.NaN()}}, nil,
		[]Sample{{labels("stack", "s", "az", "a"), 3}, {labels("stack", "s", "az", "b"), 2}})
	if len(rs) != 1 {
		t.Fatalf("%d readings; want 1", len(rs))
	}
	return p, rs[0]
}

func TestReadJoinsZonesAndLimits(t *testing.T) {
	_, r := zoned(t, 1000)
	if r.Limit != 2000 || r.Use() != 1000 || r.Nodes() != 5 || r.Labels["az"] != "" {
		t.Errorf("reading = %+v; want 1000 of 2000 on 5 nodes", r)
	}
	if z, ok := r.Largest(); !ok || z.Name != "a" {
		t.Errorf("the largest zone = %v, %v; want a", z, ok)
	}
	balancer := Pools()[0]
	rs := balancer.Read(
		[]Sample{{labels("stack", "s", "az", "a"), 10}, {labels("stack", "s", "az", "b"), 20}, {labels("stack", "t", "az", "a"), 5}},
		[]Sample{{labels("stack", "s"), 100}}, nil)
	if len(rs) != 1 || rs[0].Limit != 100 || rs[0].Use() != 30 {
		t.Errorf("readings of the balancer = %+v; want one: 30 of 100, and none for the stack without a limit", rs)
	}
}

func TestAssessDemand(t *testing.T) {
	hours := week(5*168, 1000, 2e-4, 0.02)
	p, r := zoned(t, hours[len(hours)-1])
	said := make([]Said, len(hours))
	for i := range said {
		said[i] = Said{math.NaN(), math.NaN(), math.NaN()}
		if i >= len(said)-10 {
			said[i] = Said{Lo: 0, Mid: 1000, Hi: 1e6}
		}
	}
	said[len(said)-1].Hi = 1
	a := Assess(p, r, History{Hours: hours, Past: said}, 21*day)
	if a.Lacks != "" || len(a.Fan.Mean) != maxHorizon {
		t.Fatalf("lacks %q, %d hours ahead", a.Lacks, len(a.Fan.Mean))
	}
	if a.Buffer.Peak > a.Buffer.Now || a.Buffer.ZoneLost >= a.Buffer.Peak || a.Lost != "a" {
		t.Errorf("buffers %+v, lost %q", a.Buffer, a.Lost)
	}
	if a.Buffer.ZoneLost >= 1 || !a.Urgent() || !strings.Contains(a.Reason(), "Without a it does not fit") {
		t.Errorf("2 nodes of 400 hold the peak %v: %s", a.Peak, a.Reason())
	}
	if a.Held != 9 || a.Asked != 10 {
		t.Errorf("held %d of %d; want 9 of 10", a.Held, a.Asked)
	}

	more := a.If(WhatIf{Nodes: 5})
	if more.Limit != 4000 || more.Buffer.ZoneLost < 1.9*a.Buffer.ZoneLost || math.Abs(more.Peak-a.Peak) > 1e-9 {
		t.Errorf("with five nodes more: %+v", more.Buffer)
	}
	grown := a.If(WhatIf{Growth: 0.5, Launch: 100, LaunchIn: 24 * time.Hour})
	if want := 1.5*a.Peak + 100; math.Abs(grown.Peak-want) > 1 {
		t.Errorf("half more and a launch of 100: peak %v; want %v", grown.Peak, want)
	}
	if lost := a.If(WhatIf{Zone: true}); lost.Limit != 800 || lost.Lost != "" || lost.Buffer.Peak != a.Buffer.ZoneLost {
		t.Errorf("a zone lost: limit %v, buffer %v", lost.Limit, lost.Buffer)
	}
	if a.Limit != 2000 || r.Zones[0].Nodes != 3 {
		t.Error("a question changed the answer")
	}
}

func TestAssessWhatFills(t *testing.T) {
	p := Pool{Name: "disk", Unit: "bytes", Kind: Fills}
	hours := disk(300, 1, 0.5)
	now := hours[299]
	r := Reading{Zones: []Zone{{Use: now, Limit: now + 240}}, Limit: now + 240}
	a := Assess(p, r, History{Hours: hours}, 14*day)
	if a.Until.P50 < 8*day || a.Until.P50 > 12*day || !a.Urgent() {
		t.Errorf("240 hours of room: %v", a.Until)
	}
	if fast := a.If(WhatIf{Growth: 1}); fast.Until.P50 >= a.Until.P50/2+day || fast.Use != a.Use || math.Abs(fast.Fan.Mean[9]-now-20) > 3 {
		t.Errorf("twice as fast: %v after %v, use %v, in ten hours %v", fast.Until.P50, a.Until.P50, fast.Use, fast.Fan.Mean[9])
	}
	floor := Pool{Name: "left", Unit: "bytes", Kind: Fills, Floor: true}
	left := make([]float64, 300)
	for i := range left {
		left[i] = 1000 - hours[i]
	}
	b := Assess(floor, Reading{Zones: []Zone{{Use: left[299], Limit: left[299] - 240}}, Limit: left[299] - 240}, History{Hours: left}, 14*day)
	if (b.Until.P50-a.Until.P50).Abs() > time.Hour || (b.Until.P90-a.Until.P90).Abs() > time.Hour {
		t.Errorf("the same towards a floor: %v; want %v", b.Until, a.Until)
	}
	if got := b.Forecast(); !strings.HasPrefix(got, "used up in 10 days (") {
		t.Errorf("Forecast = %q", got)
	}
	if b.Fan.Mean[9] >= left[299] || b.Fan.Lo80[9] > b.Fan.Hi80[9] {
		t.Error("the fan of a floor does not fall")
	}
}

func TestAssessSaysWhatItDoesNotKnow(t *testing.T) {
	p, r := zoned(t, 100)
	for name, tc := range map[string]struct {
		hours []float64
		want  string
	}{
		"nothing":   {nil, "not enough history: 0 hours"},
		"one point": {[]float64{5}, "not enough history: 1 hour"},
		"two days":  {week(48, 100, 0, 0), "not enough history: 2 days"},
	} {
		a := Assess(p, r, History{Hours: tc.hours}, day)
		if a.Forecast() != tc.want || a.Urgent() || len(a.Fan.Mean) != 0 || a.Peak != 0 || a.Buffer.Now != 20 {
			t.Errorf("%s: %q, urgent %v, peak %v, buffer %v; want %q", name, a.Forecast(), a.Urgent(), a.Peak, a.Buffer.Now, tc.want)
		}
		if q := a.If(WhatIf{Growth: 1}); q.Buffer.Now != 10 {
			t.Errorf("%s, twice as much: buffer %v; want 10", name, q.Buffer.Now)
		}
	}
	full := Assess(p, Reading{Zones: []Zone{{Use: 5, Limit: 4}}, Limit: 4}, History{}, day)
	if full.Forecast() != "full now" || !full.Urgent() {
		t.Errorf("5 of 4: %q", full.Forecast())
	}
}

func TestDailyPeaksTellWhatLiesFurtherAhead(t *testing.T) {
	hours := week(5*168, 1000, 1e-5, 0.02)
	days := make([]float64, 200)
	for i := range days {
		days[i] = 1000 + 5*float64(i) + 20*math.Sin(float64(i))
	}
	p, r := zoned(t, 1000)
	r.Limit = 2200
	a := Assess(p, r, History{Hours: hours, Days: days}, day)
	if a.Until.Horizon != maxDays*day || a.Until.P50 == Never || a.Until.P50 <= maxHorizon*time.Hour {
		t.Errorf("200 days of growth towards the limit in 40 days: %+v", a.Until)
	}
}

func TestWords(t *testing.T) {
	for want, u := range map[string]Until{
		"full now":                                     {Within: 1},
		"full in 9 days (5 to 17)":                     {5 * day, 9 * day, 17 * day, 90 * day, 0.99},
		"full in 9 days (5 to more than 14)":           {5 * day, 9 * day, Never, 14 * day, 0.8},
		"full in 1 hour (1 to 3)":                      {time.Hour, time.Hour, 3 * time.Hour, day, 0.99},
		"full in 20 weeks (12 to 40)":                  {84 * day, 140 * day, 280 * day, 400 * day, 0.99},
		"perhaps full in 5 days (23 % within 14 days)": {5 * day, Never, Never, 14 * day, 0.23},
		"not full within 14 days (< 1 %)":              {Never, Never, Never, 14 * day, 0.001},
		"not enough history":                           {P10: Never, P50: Never, P90: Never},
	} {
		if got := u.String(); got != want {
			t.Errorf("%+v = %q; want %q", u, got, want)
		}
	}
	for v, want := range map[float64]string{0: "–", 1.049: "×1.04", 0.999: "×0.99", 12.3: "×12", 500: "> ×100"} {
		if got := Times(v); got != want {
			t.Errorf("Times(%v) = %q; want %q", v, got, want)
		}
	}
	p := Pool{Unit: "bytes"}
	if got := p.Say(3 << 30); got != "3.0 GiB" {
		t.Errorf("Say = %q", got)
	}
	p.Unit = "streams"
	if got := p.Say(123456) + ", " + p.Short(8240); got != "123k streams, 8\u202f240" {
		t.Errorf("Say, Short = %q", got)
	}
}

func TestSortPutsTheMostUrgentFirst(t *testing.T) {
	at := func(name string, p10, lead time.Duration, peak float64) Answer {
		a := Answer{Pool: Pool{Name: name}, Until: Until{P10: p10}, Lead: lead}
		a.Buffer.Peak = peak
		return a
	}
	answers := []Answer{at("calm", Never, day, 3), at("tighter", Never, day, 1.5), at("soon", 3*day, day, 2), at("urgent", 5*day, 9*day, 2)}
	Sort(answers)
	for i, want := range []string{"urgent", "soon", "tighter", "calm"} {
		if answers[i].Pool.Name != want {
			t.Errorf("place %d: %s; want %s", i, answers[i].Pool.Name, want)
		}
	}
}

func TestFullest(t *testing.T) {
	var rs []Reading
	for _, use := range []float64{5, 90, 0, 40} {
		rs = append(rs, Reading{Zones: []Zone{{Use: use}}, Limit: 100})
	}
	if got := (Pool{}).Fullest(rs, 2); got[0].Use() != 90 || got[1].Use() != 40 {
		t.Errorf("fullest = %v", got)
	}
	if got := (Pool{Floor: true}).Fullest(rs, 2); got[0].Use() != 5 || got[1].Use() != 40 {
		t.Errorf("nearest to the floor = %v; what is not known comes last", got)
	}
}

const day = 24 * time.Hour

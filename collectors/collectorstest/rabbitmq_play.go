package collectorstest

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/tools/txtar"
)

//go:embed rabbitmq.txtar.gz
var rabbitmqRecorded []byte

const (
	rabbitmqLoginFailed = `{"error":"not_authorized","reason":"Login failed"}`
	rabbitmqRealm       = `Basic realm="RabbitMQ Management"`
)

// answer is one recorded answer: a body with its status, silence, or a refused connection.
type answer struct {
	status        int
	body          []byte
	hang, refused bool
}

// rabbitmqAnswers are all recorded answers by "situation/node/answer".
var rabbitmqAnswers = sync.OnceValue(func() map[string]answer {
	z, err := gzip.NewReader(bytes.NewReader(rabbitmqRecorded))
	if err != nil {
		panic("collectorstest: " + err.Error())
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic("collectorstest: " + err.Error())
	}
	out := map[string]answer{}
	for _, f := range txtar.Parse(text).Files {
		name, word, _ := strings.Cut(f.Name, " ")
		a := answer{status: http.StatusOK, body: f.Data}
		switch word {
		case "":
		case "hang":
			a = answer{hang: true}
		case "refused":
			a = answer{refused: true}
		default:
			if a.status, err = strconv.Atoi(word); err != nil {
				panic("collectorstest: " + f.Name)
			}
		}
		out[name] = a
	}
	return out
})

// Down is healthy with node 2 stopped: edited from paused-minority-during, whose other nodes see the same. Nothing of
// node 2 listens, and its machine refuses.
const Down = "node-down"

// RabbitMQSituations are the names of all that can be played.
func RabbitMQSituations() []string {
	all := []string{Down}
	for name := range rabbitmqAnswers() {
		sit, _, _ := strings.Cut(name, "/")
		all = append(all, sit)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// rabbitmqCut are the situations in which the network around node 2 is cut.
var rabbitmqCut = []string{
	"partition-cut-unnoticed", "partition-ignore-cut-noticed", "partition-autoheal-cut-noticed", "paused-minority-during",
}

// rabbitmqRestarted are the nodes whose application restarted in a situation, so that their counters begin again.
var rabbitmqRestarted = map[string][]string{
	"partition-autoheal-healed": {"n2"}, "paused-minority-healed": {"n2"}, "blip-one-link-after-20s": {"n1", "n2"},
}

// Rates of a healthy cluster: each node gets 10 events a second, and the exchange hands each on to 5 queues.
var rabbitmqRates = map[string]float64{
	"rabbitmq_global_messages_received_total":         10,
	"rabbitmq_global_messages_received_confirm_total": 10,
	"rabbitmq_global_messages_confirmed_total":        10,
	"rabbitmq_global_messages_routed_total":           50,
	"rabbitmq_global_messages_delivered_total":        30,
	"rabbitmq_global_messages_acknowledged_total":     30,
	"rabbitmq_erlang_uptime_seconds":                  1,
	"publish_in":                                      30,
	"publish_out":                                     150,
}

// rabbitmqNode plays one node.
type rabbitmqNode struct {
	name     string
	sit      string
	since    time.Time
	counters map[string]*playedCounter
}

// playedCounter goes on at its rate from where it was when the situation began.
type playedCounter struct{ base, rate float64 }

func newRabbitmqNode(name string) *rabbitmqNode {
	return &rabbitmqNode{name: name, counters: map[string]*playedCounter{}}
}

func (n *rabbitmqNode) value(c *playedCounter, now time.Time) float64 {
	return c.base + c.rate*now.Sub(n.since).Seconds()
}

var (
	seriesLine = regexp.MustCompile(`(?m)^([a-z_]+)(\{[^\n]*\})? ([-0-9.e]+)$`)
	jsonCount  = regexp.MustCompile(`"(publish_in|publish_out)":([0-9]+)`)
)

// play begins a situation at now.
func (n *rabbitmqNode) play(sit string, now time.Time) {
	if !slices.Contains(RabbitMQSituations(), sit) {
		panic("collectorstest: no situation " + sit)
	}
	again := slices.Contains(rabbitmqRestarted[sit], n.name)
	for _, c := range n.counters {
		c.base = n.value(c, now)
	}
	n.sit, n.since = sit, now
	for _, m := range seriesLine.FindAllSubmatch(n.recorded("metrics").body, -1) {
		n.begin(string(m[1]), string(m[1])+string(m[2]), string(m[3]), again)
	}
	for _, m := range jsonCount.FindAllSubmatch(n.recorded("exchange").body, -1) {
		n.begin(string(m[1]), string(m[1]), string(m[2]), false)
	}
}

// begin sets a counter for a new situation: it never falls, unless its application restarted, and it rises at once where
// more was recorded of something that does not flow by itself, such as unroutable messages.
func (n *rabbitmqNode) begin(family, series, text string, again bool) {
	rate, flows := rabbitmqRates[family]
	if !flows && !strings.HasSuffix(family, "_total") {
		return
	}
	recorded, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic("collectorstest: " + series + " " + text)
	}
	if strings.Contains(series, "quorum_queue") || strings.Contains(series, "stream_queue") {
		rate = 0
	}
	c := n.counters[series]
	switch {
	case c == nil:
		n.counters[series] = &playedCounter{recorded, rate}
	case family == "rabbitmq_erlang_uptime_seconds":
	case again:
		c.base = min(recorded, c.base/2) // a short play may not have come as far as the recording
	case !flows && (n.sit == "unroutable" || !strings.Contains(family, "unroutable")):
		c.base = max(c.base, recorded) // the recordings after that of unroutable carry its messages on
	}
}

// recorded finds an answer: of the situation, else what node 1 answered in it, else of healthy.
func (n *rabbitmqNode) recorded(what string) answer {
	all, sit := rabbitmqAnswers(), n.sit
	if sit == Down {
		sit = "paused-minority-during"
	}
	places := []string{sit + "/" + n.name, "healthy/" + n.name}
	if what == "exchange" || what == "bindings" {
		places = []string{sit + "/" + n.name, sit + "/n1", "healthy/n1"}
	}
	for _, p := range places {
		if a, ok := all[p+"/"+what]; ok {
			return a
		}
	}
	if what == "vhosts" { // derived: the names alone, of the vhosts that the rig had
		return answer{status: http.StatusOK, body: []byte(`[{"name":"/"},{"name":"binnacle"}]`)}
	}
	return answer{status: http.StatusNotFound, body: []byte(`{"error":"Object Not Found","reason":"Not Found"}`)}
}

// answer is what the node answers to a path of its management or prometheus port at now.
func (n *rabbitmqNode) answer(port, path string, now time.Time) answer {
	mode := n.port(port)
	if mode == portRefuses {
		return answer{refused: true}
	}
	if n.recorded("metrics").hang {
		return answer{hang: true}
	}
	what := strings.TrimPrefix(path, "/api/")
	switch {
	case port == "prometheus":
		what = strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "-")
	case strings.HasPrefix(what, "health/checks/"):
		what = "check-" + strings.TrimPrefix(what, "health/checks/")
	case strings.HasSuffix(what, "/nav.events"):
		what = "exchange"
	case strings.HasSuffix(what, "/nav.events/bindings/source"):
		what = "bindings"
	}
	a := n.recorded(what)
	switch what {
	case "metrics":
		a.body = n.moved(seriesLine, a.body, now, func(m [][]byte) (string, []byte) {
			return string(m[1]) + string(m[2]), slices.Concat(m[1], m[2], []byte(" "))
		})
	case "exchange":
		a.body = n.moved(jsonCount, a.body, now, func(m [][]byte) (string, []byte) {
			return string(m[1]), slices.Concat([]byte(`"`), m[1], []byte(`":`))
		})
	}
	return a
}

// moved puts the counters' values of now into a body.
func (n *rabbitmqNode) moved(at *regexp.Regexp, body []byte, now time.Time, split func([][]byte) (series string, before []byte)) []byte {
	return at.ReplaceAllFunc(body, func(line []byte) []byte {
		series, before := split(at.FindSubmatch(line))
		c := n.counters[series]
		if c == nil {
			return line
		}
		v := n.value(c, now)
		if !strings.HasSuffix(series, "seconds") {
			v = float64(int64(v))
		}
		return append(before, strconv.FormatFloat(v, 'f', -1, 64)...)
	})
}

// portMode is how a port answers a connect.
type portMode uint8

const (
	portOpen portMode = iota
	portRefuses
	portSwallows // nothing comes back, as beyond a cut
)

// port is amqp, management, prometheus, dist, or from-X: the distribution port as node X reaches it.
func (n *rabbitmqNode) port(name string) portMode {
	from, far := strings.CutPrefix(name, "from-")
	paused := n.recorded("metrics").refused
	switch {
	case far && slices.Contains(rabbitmqCut, n.sit) && (n.name == "n2" || from == "n2"):
		return portSwallows
	case n.sit == Down && n.name == "n2":
		return portRefuses
	case far || name == "dist":
		return portOpen
	case paused:
		return portRefuses
	}
	return portOpen
}

package services

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Kinds of what is behind a Jolokia.
const (
	kindJVM       = "jvm"
	kindTomcat    = "tomcat"
	kindActiveMQ  = "activemq"
	kindCassandra = "cassandra"
)

// Jolokia is asked for the beans of a Java process: those that each has, and those of the kind that the section names.
var Jolokia = system{
	name: "jolokia", schemes: map[string]string{"http": "8778", "https": "8778"},
	found: "http://127.0.0.1:8778/jolokia/", missing: `write collect.jolokia: {url: "http://127.0.0.1:8778/jolokia/", kind: jvm, user: USER, password: "${file:...}"}; reading is enough: forbid exec and write in its policy`,
	descs: slices.Concat(jvmDescs, tomcatDescs, activemqDescs, cassandraDescs),
	check: func(s Server) error {
		if s.Kind != "" && !slices.Contains([]string{kindJVM, kindTomcat, kindActiveMQ, kindCassandra}, s.Kind) {
			return fmt.Errorf("kind: want jvm, tomcat, activemq or cassandra, have %q", s.Kind)
		}
		return nil
	},
	look: lookJolokia,
}.spec()

// beanRead is one read of a request.
type beanRead struct {
	Type      string   `json:"type"`
	MBean     string   `json:"mbean"`
	Attribute []string `json:"attribute,omitempty"`
}

func reads(list ...[]string) []beanRead {
	var out []beanRead
	for _, l := range list {
		out = append(out, beanRead{"read", l[0], l[1:]})
	}
	return out
}

// bean is what one bean says: the keys of its name without quotes, and its attributes.
type bean struct {
	domain string
	keys   map[string]string
	values map[string]json.RawMessage
}

// beanAnswer is one answer of many. HTTP says 200 whatever stands in it.
type beanAnswer struct {
	Request struct {
		MBean string `json:"mbean"`
	} `json:"request"`
	Value  json.RawMessage `json:"value"`
	Status int             `json:"status"`
	Error  string          `json:"error"`
}

func lookJolokia(ctx context.Context, t *target, b *batch) error {
	kind := t.Kind
	if kind == "" {
		kind = kindJVM
	}
	b.base = append(b.base, "kind", kind)
	request := slices.Concat(jvmReads, map[string][]beanRead{kindTomcat: tomcatReads, kindActiveMQ: activemqReads, kindCassandra: cassandraReads}[kind])
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	a, err := t.page(ctx, t.at("/jolokia/"), body)
	if err != nil {
		return err
	}
	var answers []beanAnswer
	switch {
	case a.code == http.StatusNotFound:
		return inState(stateStarting, "%s: it is not deployed, or not yet", a.status)
	case a.code != http.StatusOK:
		return a.unexpected()
	case json.Unmarshal(a.body, &answers) != nil:
		var one beanAnswer
		if json.Unmarshal(a.body, &one) != nil || one.Status == 0 {
			return fmt.Errorf("want an answer of Jolokia, have %.60q", a.body)
		}
		answers = []beanAnswer{one}
	}
	return jolokiaBeans(answers, kind, b)
}

// jolokiaBeans reads the answers by the names in them. A bean that is not there is a state where the kind wants it, and no figure
// where it does not.
func jolokiaBeans(answers []beanAnswer, kind string, b *batch) error {
	var beans []bean
	for _, a := range answers {
		switch {
		case a.Status == http.StatusForbidden || a.Status == http.StatusUnauthorized:
			return inState(stateUnauthorised, "%.200s", a.Error)
		case a.Status == http.StatusNotFound:
		case a.Status != http.StatusOK:
			return inState(stateError, "%d: %.200s", a.Status, a.Error)
		default:
			beans = append(beans, beansOf(a)...)
		}
	}
	wanted := map[string]string{kindTomcat: "ThreadPool", kindActiveMQ: "Broker", kindCassandra: "StorageService"}[kind]
	there := wanted == ""
	jvm(beans, b)
	for _, x := range beans {
		there = there || x.keys["type"] == wanted
	}
	if !there {
		return inState(stateStarting, "the beans of %s are not there: %s is not it, or not yet", kind, b.base[1])
	}
	switch kind {
	case kindTomcat:
		tomcat(beans, b)
	case kindActiveMQ:
		return activemq(beans, b)
	case kindCassandra:
		return cassandra(beans, b)
	}
	return nil
}

// beansOf takes an answer apart: a pattern is answered by an object for each name that it meets.
func beansOf(a beanAnswer) []bean {
	var values map[string]json.RawMessage
	if json.Unmarshal(a.Value, &values) != nil {
		return nil
	}
	if !strings.Contains(a.Request.MBean, "*") {
		return []bean{newBean(a.Request.MBean, values)}
	}
	var out []bean
	for name, value := range values {
		var attributes map[string]json.RawMessage
		if json.Unmarshal(value, &attributes) == nil {
			out = append(out, newBean(name, attributes))
		}
	}
	return out
}

// newBean reads "domain:key=value,key="quoted, value"".
func newBean(name string, values map[string]json.RawMessage) bean {
	domain, rest, _ := strings.Cut(name, ":")
	x := bean{domain, map[string]string{}, values}
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		value := after
		if strings.HasPrefix(after, `"`) {
			value, rest, _ = strings.Cut(after[1:], `"`)
			rest = strings.TrimPrefix(rest, ",")
		} else {
			value, rest, _ = strings.Cut(after, ",")
		}
		x.keys[key] = value
	}
	return x
}

// number is an attribute; ok is false where it is null, or no number.
func (x bean) number(attribute string) (float64, bool) {
	var n number
	if raw, ok := x.values[attribute]; !ok || n.UnmarshalJSON(raw) != nil || n.v == nil {
		return 0, false
	}
	return *n.v, true
}

// add adds an attribute where it is a number that means something: -1 is "none".
func (x bean) add(b *batch, d *metric.Desc, attribute string, times float64, kv ...string) {
	if v, ok := x.number(attribute); ok && v >= 0 {
		b.add(d, v*times, kv...)
	}
}

// memory is an attribute of use, committed and maximum. max is -1 where there is none.
func (x bean) memory(attribute string) (used, limit float64, ok bool) {
	var m struct {
		Used *float64 `json:"used"`
		Max  float64  `json:"max"`
	}
	if json.Unmarshal(x.values[attribute], &m) != nil || m.Used == nil {
		return 0, 0, false
	}
	return *m.Used, m.Max, true
}

func (x bean) label(key string) string { return collectors.Label(x.keys[key]) }

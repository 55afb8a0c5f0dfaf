package views

import (
	"strings"
	"testing"

	"github.com/navcloud/binnacle/agent/health"
)

// What needs a step comes first and is never folded; what is well is named as people name it, five lines and the rest in one.
func TestServicesOfTheFirstPage(t *testing.T) {
	in := []health.Collector{{Name: "host_cpu", Up: true}, {Name: "host_disk", Up: true}, {Name: "self", Up: true}, {Name: "riak", Reason: "auth", LastRun: health.Collector{}.LastRun.AddDate(1, 0, 0)}}
	for _, name := range []string{"statsd", "rabbitmq", "redis", "nginx", "haproxy", "mysql", "memcached"} {
		in = append(in, health.Collector{Name: name, Up: true})
	}
	in = append(in, health.Collector{Name: "apache", Absent: true})
	var got []string
	for _, s := range folded(servicesOf(nil, "here", in)) {
		got = append(got, s.Name+":"+s.Look)
	}
	want := "Riak:need HAProxy:ok memcached:ok MySQL:ok nginx:ok RabbitMQ:ok 4 more services:ok"
	if strings.Join(got, " ") != want {
		t.Errorf("services %q; want %q", strings.Join(got, " "), want)
	}
}

package agent

import (
	"syscall"
	"time"
)

// orders are more of what an on-call engineer meets: a node that stays away, two at once, a second cut before the first is over.
var orders = []situation{
	{
		name: "plugin off and then killed", handling: "ignore",
		play: func(p *play) {
			p.operator(2, "rabbitmq-plugins disable rabbitmq_management")
			p.do(nil)
			p.until("blind", p.in("running", "blind", "running"))
			p.kill(2)
			p.until("page", p.opened(1))
			p.do(p.c.Boot(2))
			p.operator(2, "rabbitmq-plugins enable rabbitmq_management rabbitmq_prometheus")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{{"P2", "RabbitMQNodeDown", "node:n2", "RabbitMQ on n2 is down"}},
	},
	{
		name: "stop_app on two", handling: "ignore",
		play: func(p *play) {
			p.do(p.c.StopApp(2))
			must(p.T, p.c.StopApp(3))
			p.until("page", p.opened(1))
			p.until("no majority is a page", p.titled("has no majority: 3 nodes expected, n2 paused, n3 paused"))
			p.operator(3, "rabbitmqctl start_app")
			p.operator(2, "rabbitmqctl start_app")
			p.do(nil)
			p.until("whole", p.whole)
		},
		one:   []page{{"P1", "RabbitMQNoMajority", navRig, "RabbitMQ nav-rig has no majority"}},
		maybe: []page{{"P1", "RabbitMQEventsNotDelivered", navRig, ""}},
	},
	{
		name: "the cluster gets another name", handling: "ignore",
		play: func(p *play) {
			p.operator(1, "rabbitmqctl set_cluster_name nav-new")
			p.do(nil)
			p.until("known by it", func() bool { return p.f.value(p.T, `count(last_over_time(rabbitmq_up{cluster="nav-new"}[10s]))`) == 3 })
			p.quiet(2 * time.Minute)
			p.operator(1, "rabbitmqctl set_cluster_name nav-rig")
			p.do(nil)
			p.until("known by the old one", func() bool { return p.f.value(p.T, `count(last_over_time(rabbitmq_up{cluster="nav-rig"}[10s]))`) == 3 })
			p.quiet(time.Minute)
		},
	},
	{
		name: "the side that paused is killed", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("page", p.opened(1))
			p.until("paused", p.in("running", "paused", "running"))
			p.kill(2)
			p.until("second page", p.opened(2))
			p.do(p.c.Heal(2))
			must(p.T, p.c.Boot(2))
			p.until("whole", p.whole)
		},
		pages: []page{suspected, {"P2", "RabbitMQNodeDown", "node:n2", "RabbitMQ on n2 is down"}},
	},
	{
		name: "each agent restarts during a cut", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("page", p.opened(1))
			for n := 1; n <= 3; n++ {
				p.f.stop[n]()
				p.f.watch(p.T, p.c, n)
			}
			p.until("paused", p.in("running", "paused", "running"))
			for n := 1; n <= 3; n++ {
				p.f.stop[n]()
				p.f.watch(p.T, p.c, n)
			}
			p.quiet(30 * time.Second)
			p.do(p.c.Heal(2))
			p.back(2)
		},
		pages: []page{suspected},
		maybe: stuck,
	},
	{
		name: "rolling restart in which one does not come back", handling: "pause_minority",
		play: func(p *play) {
			for n := 1; n <= 2; n++ {
				p.unit(n, "inactive")
				p.do(p.c.Signal(n, syscall.SIGTERM))
				must(p.T, p.c.Wait(p.Context(), n))
				if n == 1 {
					p.until("stopped", p.in("down"))
					p.unit(n, "active")
					p.do(p.c.Boot(n))
					p.until("started", p.whole)
				}
			}
			p.until("stopped", p.in("running", "down", "running"))
			p.quiet(time.Minute)
			if got := p.f.opened(); len(got) > 0 {
				p.Errorf("a stop in order: %+v", got)
			}
			p.until("after five minutes it is down", p.opened(1))
			p.unit(2, "active")
			p.do(p.c.Boot(2))
			p.until("whole", p.whole)
		},
		pages: []page{{"P2", "RabbitMQNodeDown", "node:n2", "RabbitMQ on n2 is down"}},
	},
	{
		name: "healed and another one cut before all is whole", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("page", p.opened(1))
			p.until("paused", p.in("running", "paused", "running"))
			p.do(p.c.Heal(2))
			must(p.T, p.c.Cut(3))
			p.until("the other one is paused", p.in("", "", "paused"))
			p.quiet(30 * time.Second)
			p.do(p.c.Heal(3))
			p.back(3)
		},
		pages: []page{suspected},
		maybe: append([]page{
			{"P1", "RabbitMQNoMajority", navRig, ""},
			{"P2", "RabbitMQPartitionSuspected", navRig, ""},
			{"P2", "RabbitMQNodePaused", "node:n3", ""},
			{"P2", "RabbitMQAppNotBack", "node:n3", ""},
			{"P2", "RabbitMQNodeDown", "node:n3", ""},
		}, stuck...),
	},
}

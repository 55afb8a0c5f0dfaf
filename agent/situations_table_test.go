package agent

import (
	"context"
	"strings"
	"sync"
	"syscall"
	"time"
)

const navRig = "cluster:nav-rig"

var (
	suspected = page{"P2", "RabbitMQPartitionSuspected", navRig, "RabbitMQ nav-rig: partition suspected, no answer of n2"}
	split     = page{"P1", "RabbitMQSplitBrain", navRig, "RabbitMQ nav-rig is split: n1+n3 against n2"}
	stuck     = []page{ // a known fault of 3.10, as it falls
		{"P2", "RabbitMQAppNotBack", "node:n2", "RabbitMQ on n2 did not come back after the cut: its application is stopped"},
		{"P2", "RabbitMQNodeDown", "node:n2", "RabbitMQ on n2 is down"},
	}
	blockedRows = []string{
		"rabbitmqctl list_vhosts", "rabbitmqctl list_queues -p / name memory messages",
		`rabbitmqctl -q list_vhosts --no-table-headers | while read v; do rabbitmqctl -q list_queues -p "$v" name memory messages consumers </dev/null; done`,
	}
)

// situations is the table. Every command of the guidance that is run here is run in the state that it is for.
var situations = []situation{
	{
		name: "commands of operators all the while", handling: "ignore", quick: true,
		play: func(p *play) {
			for n := range 3 { // each links a node of its own for as long as it runs
				p.operator(n+1, "rabbitmqctl cluster_status; rabbitmqctl list_queues name messages; rabbitmqctl list_connections peer_host")
			}
		},
	},
	{
		name: "frozen for longer than the tick time", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Signal(2, syscall.SIGSTOP))
			p.until("frozen", p.in("", "frozen", ""))
			p.until("page", p.opened(1))
			p.until("why", func() bool {
				return strings.Contains(p.f.now.Load().route.dispatch.View().Why("RabbitMQNodeFrozen"), "n2")
			})
			p.Log(p.f.now.Load().route.dispatch.View().Why("RabbitMQNodeFrozen"))
			p.operator(1, "ps -o pid,stat,wchan -C beam.smp | grep ' T'")
			p.until("its peers declare it down", func() bool { return p.f.seenBy(1, "n1+n3") && p.f.seenBy(3, "n1+n3") })
			p.do(p.c.Signal(2, syscall.SIGCONT))
			// RabbitMQ 3.10 does not come together by itself: its peers answer, so that it is in no minority and does not pause.
			p.until("split, and said so", p.titled("is split: n1+n3 against n2"))
			p.operator(2, "rabbitmqctl stop_app; rabbitmqctl start_app")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{{"P2", "RabbitMQNodeFrozen", "node:n2", "RabbitMQ on n2 takes connections and does not answer"}},
		maybe: []page{split},
	},
	{
		name: "frozen for a moment", handling: "ignore",
		play: func(p *play) {
			p.do(p.c.Signal(3, syscall.SIGSTOP))
			p.until("frozen", p.in("", "", "frozen"))
			p.until("page", p.opened(1))
			p.do(p.c.Signal(3, syscall.SIGCONT))
			p.until("thawed", p.whole)
		},
		pages: []page{{"P2", "RabbitMQNodeFrozen", "node:n3", "RabbitMQ on n3 takes connections and does not answer"}},
	},
	{
		name: "memory alarm", handling: "ignore",
		play: func(p *play) {
			p.operator(3, "rabbitmqctl set_vm_memory_high_watermark absolute 20MB")
			p.do(nil)
			p.until("page", p.opened(1))
			for _, line := range blockedRows {
				p.operator(3, line)
			}
			p.operator(3, "rabbitmqctl set_vm_memory_high_watermark 0.4")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{{"P1", "RabbitMQPublishersBlocked", navRig, "All publishers of RabbitMQ nav-rig are blocked: memory alarm on n3"}},
		maybe: []page{{"P1", "RabbitMQEventsNotDelivered", navRig, ""}},
	},
	{
		name: "disk alarm", handling: "ignore",
		play: func(p *play) {
			p.operator(1, "rabbitmqctl set_disk_free_limit 100000000000000")
			p.do(nil)
			p.until("page", p.opened(1))
			p.operator(1, "rabbitmqctl set_disk_free_limit 50MB")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{{"P1", "RabbitMQPublishersBlocked", navRig, "All publishers of RabbitMQ nav-rig are blocked: disk alarm on n1"}},
	},
	{
		name: "vhost down on one node", handling: "ignore",
		play: func(p *play) {
			p.do(p.c.StopVHost(2, "binnacle"))
			p.until("page", p.opened(1))
			p.operator(2, "rabbitmqctl restart_vhost -p binnacle")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{{"P2", "RabbitMQVHostDown", "node:n2", "RabbitMQ on n2 refuses all clients of 1 vhost: binnacle"}},
	},
	{
		name: "stop_app by hand", handling: "ignore",
		play: func(p *play) {
			p.do(p.c.StopApp(3))
			p.until("stopped", p.in("running", "running", "paused"))
			p.until("page", p.opened(1))
			p.operator(3, "rabbitmqctl start_app")
			p.do(nil)
			p.until("back", p.whole)
		},
		pages: []page{{"P2", "RabbitMQAppStopped", "node:n3", "RabbitMQ on n3: application stopped, machine and peers are there"}},
	},
	{
		name: "management plugin off", handling: "ignore",
		play: func(p *play) {
			p.operator(2, "rabbitmq-plugins disable rabbitmq_management")
			p.do(nil)
			p.until("blind", p.in("running", "blind", "running"))
			p.until("on the board", p.fires("RabbitMQBlind", "n2"))
			p.operator(2, "rabbitmq-plugins enable rabbitmq_management rabbitmq_prometheus")
			p.do(nil)
			p.until("seen again", p.whole)
		},
	},
	{
		name: "slow link under a flood", handling: "ignore",
		play: func(p *play) {
			ctx, cancel := context.WithCancel(p.Context())
			wait := p.c.Flood(ctx, 1)
			defer func() { cancel(); wait() }()
			p.quiet(10 * time.Second)
			p.do(p.c.Slow(2, "256kbit"))
			p.until("page", p.opened(1))
			p.until("whose link it is", p.titled("n2"))
			p.do(p.c.Unslow(2))
			p.until("whole", p.whole)
		},
		one: []page{suspected, {"P2", "RabbitMQPeerHangs", navRig, "RabbitMQ nav-rig: a node takes connections and says nothing to its peers"}},
	},
	{
		name: "distribution port cut alone", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.CutDist(2))
			p.until("page", p.opened(1))
			p.until("paused", p.in("running", "paused", "running"))
			p.do(p.c.HealDist(2))
			p.back(2)
		},
		pages: []page{suspected},
		maybe: stuck,
	},
	{
		name: "loss in one direction", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Mute(2))
			p.until("page", p.opened(1))
			p.until("paused", p.in("running", "paused", "running"))
			p.do(p.c.Unmute(2))
			p.back(2)
		},
		pages: []page{suspected},
		maybe: stuck,
	},
	{
		name: "rolling restart", handling: "pause_minority",
		play: func(p *play) {
			for n := 1; n <= 3; n++ {
				p.unit(n, "inactive")
				p.do(p.c.Signal(n, syscall.SIGTERM))
				must(p.T, p.c.Wait(p.Context(), n))
				states := make([]string, 3)
				states[n-1] = "down"
				p.until("stopped", p.in(states...))
				p.quiet(40 * time.Second) // longer than a loss waits for its page
				p.unit(n, "active")
				p.do(p.c.Boot(n))
				p.until("started", p.whole)
			}
		},
		pages: []page{},
	},
	{
		name: "two victims, one after the other", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("page", p.opened(1))
			p.until("paused", p.in("running", "paused", "running"))
			p.do(p.c.Heal(2))
			p.back(2)
			p.do(p.c.Signal(3, syscall.SIGKILL))
			p.until("down", p.in("running", "running", "down"))
			p.until("second page", p.opened(2))
			p.operator(1, "rabbitmq-queues check_if_node_is_quorum_critical || true")
			p.do(p.c.Boot(3))
			p.until("whole", p.whole)
		},
		pages: []page{suspected, {"P2", "RabbitMQNodeDown", "node:n3", "RabbitMQ on n3 is down"}},
		maybe: stuck,
	},
	{
		name: "autoheal", handling: "autoheal",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("page", p.opened(1))
			p.until("the brokers know", func() bool { return p.f.all("running", "n1+n3", "n2", "n1+n3") })
			p.until("both sides in the title", p.titled("n1+n3 against n2"))
			p.do(p.c.Heal(2))
			p.until("healed", p.whole)
			p.until("whose messages are discarded is on the board", p.fires("RabbitMQAutohealed", "n2"))
		},
		one: []page{suspected, split}, // with a short tick time the brokers may know first
	},
	{
		name: "a node for good: forgotten, and back with an empty disk", handling: "autoheal",
		play: func(p *play) {
			p.f.mu.Lock()
			p.f.mute[3] = true
			p.f.mu.Unlock()
			p.do(p.c.Signal(3, syscall.SIGKILL))
			must(p.T, p.c.Wait(p.Context(), 3))
			p.until("page", p.opened(1))
			gone := func() bool {
				return p.f.value(p.T, `count(ALERTS{alertname="RabbitMQNodeGone",alertstate="firing"})`) == 1
			}
			p.until("gone", gone)
			p.operator(1, "rabbitmqctl forget_cluster_node rabbit@n3")
			p.do(nil)
			p.until("its absence has ended", func() bool { return !gone() })
			p.until("two are expected", func() bool {
				return p.f.value(p.T, `max(last_over_time(rabbitmq_cluster_nodes_expected[10s]))`) == 2
			})
			must(p.T, p.c.Erase(3))
			p.do(p.c.Boot(3))
			p.f.mu.Lock()
			p.f.mute[3] = false
			p.f.mu.Unlock()
			p.until("joined again", p.whole)
		},
		pages: []page{{"P2", "RabbitMQNodeGone", "node:n3", "RabbitMQ on n3 is gone: its peers see it down, its agent is silent"}},
	},
	{
		name: "vhost deleted", handling: "autoheal", last: true,
		play: func(p *play) {
			p.operator(1, "rabbitmqctl delete_vhost binnacle")
			p.do(nil)
			p.until("page", p.opened(1))
			p.operator(1, "rabbitmqctl list_vhosts; rabbitmqctl add_vhost binnacle; rabbitmqctl set_permissions -p binnacle probe '.*' '.*' '.*'")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{{"P1", "RabbitMQVHostGone", navRig, "The vhost binnacle of RabbitMQ nav-rig is gone, with all of its queues"}},
	},
	{
		name: "cut", handling: "ignore",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("suspected on all nodes", func() bool { return p.f.all("partition_suspected") })
			p.until("page", p.opened(1))
			apart := func() bool { return p.f.all("running", "n1+n3", "n2", "n1+n3") }
			p.until("the brokers know", apart)
			p.until("both sides in the title", p.titled("n1+n3 against n2"))
			p.do(p.c.Heal(2))
			p.until("healed, and still split", func() bool { return apart() && p.f.connected() })
			p.operator(2, "rabbitmqctl stop_app; rabbitmqctl start_app")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{suspected},
	},
	{
		name: "twenty healthy minutes", handling: "pause_minority",
		play: func(p *play) {
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(p.Context())
			defer func() { cancel(); wg.Wait() }()
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ { // a nervous operator
					one, stop := context.WithTimeout(ctx, time.Minute)
					_, err := p.c.Command(one, n%3+1, "rabbitmqctl cluster_status; rabbitmqctl list_queues name messages; rabbitmqctl status; rabbitmqctl list_connections")
					stop()
					if err != nil && ctx.Err() == nil {
						p.Errorf("a command: %v", err)
					}
				}
			})
			p.quiet(20 * time.Minute)
		},
	},
}

package agent

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/navcloud/binnacle/alerting/alertingtest"
)

// sequences are situations in which a second thing happens before the first is over, or a person acts meanwhile.
var sequences = []situation{
	{
		name: "frozen, then killed", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Signal(2, syscall.SIGSTOP))
			p.until("page", p.opened(1))
			p.kill(2)
			p.until("down", p.in("running", "down", "running"))
			p.quiet(time.Minute)
			p.do(p.c.Boot(2))
			p.until("whole", p.whole)
		},
		pages: []page{{"P2", "RabbitMQNodeFrozen", "node:n2", "RabbitMQ on n2 takes connections and does not answer"}},
	},
	{
		name: "killed, back, and another one killed", handling: "pause_minority",
		play: func(p *play) {
			p.kill(3)
			p.until("page", p.opened(1))
			p.do(p.c.Boot(3))
			p.until("whole", p.whole)
			p.kill(1)
			p.until("second page", p.opened(2))
			p.do(p.c.Boot(1))
			p.until("whole", p.whole)
		},
		pages: []page{
			{"P2", "RabbitMQNodeDown", "node:n3", "RabbitMQ on n3 is down"},
			{"P2", "RabbitMQNodeDown", "node:n1", "RabbitMQ on n1 is down"},
		},
	},
	{
		name: "one killed, another one in the same incident", handling: "pause_minority",
		play: func(p *play) {
			p.kill(1)
			p.until("page", p.opened(1))
			p.kill(2)
			p.until("no majority is a page", p.titled("has no majority"))
			p.do(p.c.Boot(2))
			p.until("two run", p.in("down", "running", "running"))
			p.do(p.c.Boot(1))
			p.until("whole", p.whole)
		},
		// Nobody has acknowledged it: it becomes the P1, under its key.
		pages: []page{{"P2", "RabbitMQNodeDown", "node:n1", "RabbitMQ on n1 is down"}},
		maybe: []page{{"P1", "RabbitMQEventsNotDelivered", navRig, ""}},
	},
	{
		name: "all brokers and agents killed, two come back", handling: "pause_minority",
		play: func(p *play) {
			p.silence(1, 2, 3)
			for n := 1; n <= 3; n++ {
				p.kill(n)
			}
			p.do(nil)
			p.quiet(40 * time.Second)
			p.silence()
			p.until("no majority is a page", p.titled("has no majority"))
			p.do(p.c.Boot(3)) // each waits for the others' tables, and gives up after five minutes
			must(p.T, p.c.Boot(2))
			p.until("up, and not serving", func() bool {
				return p.f.value(p.T, `min(last_over_time(rabbitmq_port_open{port="distribution",node!="n1"}[10s]))+1`) == 2
			})
			p.kill(2)
			p.operator(2, "rabbitmqctl force_boot") // as the guidance says, where the third is lost
			p.do(p.c.Boot(2))
			p.until("two run", p.in("down", "running", "running"))
			p.until("the third fires on", p.fires("RabbitMQNodeDown", "n1"))
			p.quiet(time.Minute)
			p.do(p.c.Boot(1))
			p.until("whole", p.whole)
		},
		pages: []page{{"P1", "RabbitMQNoMajority", navRig, "RabbitMQ nav-rig has no majority: 3 nodes expected"}},
		maybe: []page{{"P2", "RabbitMQNodeDown", "node:n1", "RabbitMQ on n1 is down"}, {"P1", "RabbitMQEventsNotDelivered", navRig, ""}},
	},
	{
		name: "plugin off during a cut", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("page", p.opened(1))
			p.until("paused", p.in("running", "paused", "running"))
			p.operator(1, "rabbitmq-plugins disable rabbitmq_management")
			p.operator(3, "rabbitmq-plugins disable rabbitmq_management")
			p.quiet(2 * time.Minute)
			if in := p.f.pd.Incidents(); slices.ContainsFunc(in, func(in alertingtest.Incident) bool { return in.Status == "resolved" }) {
				p.Errorf("blindness resolved: %+v", in)
			}
			p.operator(1, "rabbitmq-plugins enable rabbitmq_management")
			p.operator(3, "rabbitmq-plugins enable rabbitmq_management")
			p.do(p.c.Heal(2))
			p.back(2)
		},
		pages: []page{suspected},
		maybe: stuck,
	},
	{
		name: "cut, and the one that judges restarts twice", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("suspected", func() bool { return p.f.all("partition_suspected") })
			p.f.restart(p.T)
			p.until("page", p.opened(1))
			p.f.restart(p.T)
			p.until("paused", p.in("running", "paused", "running"))
			p.do(p.c.Heal(2))
			p.back(2)
		},
		pages: []page{suspected},
		maybe: stuck,
	},
	{
		name: "port mapper killed", handling: "pause_minority",
		play: func(p *play) {
			p.do(p.c.KillPortMapper(1))
			p.until("gone", func() bool { return p.f.value(p.T, `min(last_over_time(rabbitmq_port_open{port="epmd"}[10s]))`) == 0 })
			p.until("there again", func() bool {
				return p.f.value(p.T, `min(last_over_time(rabbitmq_port_open{port="epmd"}[10s])) + 1`) == 2
			})
			if p.fires("RabbitMQEpmdGone", "n1")() {
				p.Error("what the broker mends by itself is told")
			}
		},
	},
	{
		name: "stop_app during a memory alarm", handling: "ignore",
		play: func(p *play) {
			p.operator(3, "rabbitmqctl set_vm_memory_high_watermark absolute 20MB")
			p.do(nil)
			p.until("page", p.opened(1))
			p.do(p.c.StopApp(1))
			p.until("second page", p.opened(2))
			p.operator(1, "rabbitmqctl start_app")
			p.operator(3, "rabbitmqctl set_vm_memory_high_watermark 0.4")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{
			{"P1", "RabbitMQPublishersBlocked", navRig, "All publishers of RabbitMQ nav-rig are blocked: memory alarm on n3"},
			{"P2", "RabbitMQAppStopped", "node:n1", "RabbitMQ on n1: application stopped"},
		},
		maybe: []page{{"P1", "RabbitMQEventsNotDelivered", navRig, ""}},
	},
	{
		name: "a queue gets another name", handling: "ignore",
		play: func(p *play) {
			p.do(p.c.RenameQueue(p.Context(), "nav.api.n2", "nav.api.second"))
			p.quiet(2 * time.Minute)
			p.do(p.c.RenameQueue(p.Context(), "nav.api.second", "nav.api.n2"))
			p.quiet(time.Minute)
		},
	},
	{
		name: "queues that nobody configured", handling: "ignore",
		play: func(p *play) {
			shop := []string{"shop.a", "shop.b", "shop.c", "shop.d", "shop.e"}
			p.do(p.c.MakeQueues(p.Context(), shop...))
			p.until("noticed", func() bool { return p.knowQueues(shop) })
			p.age(shop) // agents restart, and were there two hours ago
			p.do(p.c.DropQueues(p.Context(), "shop.a"))
			p.until("one that is gone is on the board", func() bool {
				return p.f.value(p.T, `count(ALERTS{alertname="RabbitMQQueuesMissing",alertstate="firing"})`) > 0
			})
			p.do(p.c.DropQueues(p.Context(), shop[1:]...))
			p.until("page", p.opened(1))
			p.do(p.c.MakeQueues(p.Context(), shop...))
			p.until("they are back", func() bool {
				return p.f.value(p.T, `count(ALERTS{alertname=~"RabbitMQQueues(Missing|Lost)",alertstate="firing"})`) == 0
			})
			p.do(p.c.Fill(p.Context(), 2, "shop.a", 51_000))
			p.until("what nobody reads is on the board", func() bool {
				return p.f.value(p.T, `count(ALERTS{alertname="RabbitMQBacklogUnread",alertstate="firing"})`) > 0
			})
			p.operator(1, "rabbitmqctl -p / purge_queue shop.a")
			p.do(p.c.DropQueues(p.Context(), shop...))
		},
		pages: []page{{"P2", "RabbitMQQueuesLost", navRig, "RabbitMQ nav-rig lost 5 of 8 queues in use: shop.a of /, shop.b of /"}},
	},
	{
		name: "one leaves in order, another one is killed", handling: "ignore",
		play: func(p *play) {
			p.do(p.c.RenameQueue(p.Context(), "nav.api.n3", "nav.api.third")) // off the node that leaves
			p.unit(3, "inactive")
			p.do(p.c.Signal(3, syscall.SIGTERM))
			must(p.T, p.c.Wait(p.Context(), 3))
			p.until("stopped", p.in("running", "running", "down"))
			p.operator(1, "rabbitmqctl forget_cluster_node rabbit@n3")
			p.do(nil)
			p.until("two are expected", func() bool {
				return p.f.value(p.T, `max(last_over_time(rabbitmq_cluster_nodes_expected{node!="n3"}[10s]))`) == 2
			})
			p.quiet(20 * time.Second)
			if got := p.f.opened(); len(got) > 0 {
				p.Errorf("an orderly leave: %+v", got)
			}
			p.kill(2)
			p.until("page", p.opened(1))
			p.do(p.c.Boot(2))
			p.until("two run", p.in("running", "running", "down"))
			must(p.T, p.c.Erase(3))
			p.unit(3, "active")
			p.do(p.c.Boot(3))
			p.until("whole", p.whole)
			p.do(p.c.RenameQueue(p.Context(), "nav.api.third", "nav.api.n3"))
		},
		pages: []page{{"P1", "RabbitMQNoMajority", navRig, "RabbitMQ nav-rig has no majority: 2 nodes expected"}},
		maybe: []page{{"P1", "RabbitMQEventsNotDelivered", navRig, ""}},
	},
	{
		name: "back alone with an empty disk", handling: "ignore",
		play: func(p *play) {
			p.kill(3)
			p.until("page", p.opened(1))
			must(p.T, p.c.Erase(3))
			p.do(p.c.Cut(3)) // else it finds its peers and joins them again
			p.do(p.c.Boot(3))
			p.until("it runs", func() bool { return p.f.value(p.T, `max(last_over_time(rabbitmq_up{node="n3"}[10s]))`) == 1 })
			p.do(p.c.Heal(3))
			p.until("apart is a page", p.titled("RabbitMQ on n3 runs apart from its peers"))
			p.operator(1, "rabbitmqctl forget_cluster_node rabbit@n3")
			p.operator(3, "rabbitmqctl stop_app; rabbitmqctl reset; rabbitmqctl join_cluster rabbit@n1; rabbitmqctl start_app")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{
			{"P2", "RabbitMQNodeDown", "node:n3", "RabbitMQ on n3 is down"},
			{"P2", "RabbitMQNodeDisowned", "node:n3", "RabbitMQ on n3 runs apart from its peers, refuses our login: empty disk?"},
		},
		maybe: []page{suspected, split},
	},
	{
		name: "cut, then the vhost deleted", handling: "ignore", last: true,
		play: func(p *play) {
			p.do(p.c.Cut(2))
			p.until("page", p.opened(1))
			p.until("the brokers know", func() bool { return p.f.all("running", "n1+n3", "n2", "n1+n3") })
			p.operator(1, "rabbitmqctl delete_vhost binnacle")
			p.do(nil)
			p.until("second page", func() bool {
				return slices.ContainsFunc(p.f.opened(), func(c alertingtest.Call) bool { return strings.Contains(c.Key, "VHostGone") })
			})
			p.do(p.c.Heal(2))
			p.until("healed", p.f.connectedPeers)
			p.operator(2, "rabbitmqctl stop_app; rabbitmqctl start_app")
			p.operator(1, "rabbitmqctl add_vhost binnacle; rabbitmqctl set_permissions -p binnacle probe '.*' '.*' '.*'")
			p.do(nil)
			p.until("whole", p.whole)
		},
		pages: []page{suspected, {"P1", "RabbitMQVHostGone", navRig, "The vhost binnacle of RabbitMQ nav-rig is gone, with all of its queues"}},
	},
}

// kill ends a broker at once, as a loss of power does.
func (p *play) kill(n int) {
	p.Helper()
	p.do(p.c.Signal(n, syscall.SIGKILL))
	must(p.T, p.c.Wait(p.Context(), n))
}

// silence lets the agents of these nodes say nothing, and all others speak.
func (p *play) silence(nodes ...int) {
	p.f.mu.Lock()
	defer p.f.mu.Unlock()
	clear(p.f.mute)
	for _, n := range nodes {
		p.f.mute[n] = true
	}
}

// keptQueues is the file of what the agent of a node keeps, and the queues in it by vhost and name.
func (p *play) keptQueues(n int) (path string, all map[string]any, queues map[string]any) {
	p.Helper()
	path = filepath.Join(p.f.kept(n), "rabbitmq.json")
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &all) != nil {
		return path, nil, nil
	}
	of, _ := all["queues"].(map[string]any)
	queues, _ = of["/"].(map[string]any)
	return path, all, queues
}

// knowQueues says whether the agent of some node knows these queues.
func (p *play) knowQueues(names []string) bool {
	for n := 1; n <= 3; n++ {
		if _, _, queues := p.keptQueues(n); !slices.ContainsFunc(names, func(q string) bool { return queues[q] == nil }) {
			return true
		}
	}
	return false
}

// age lets agents restart that have known their queues for two hours.
func (p *play) age(names []string) {
	p.Helper()
	for n := 1; n <= 3; n++ {
		p.f.stop[n]()
		path, all, queues := p.keptQueues(n)
		for _, q := range queues {
			q.(map[string]any)["first"] = time.Now().Add(-2 * time.Hour)
		}
		if b, err := json.Marshal(all); all != nil {
			must(p.T, errors.Join(err, os.WriteFile(path, b, 0o600)))
		}
		p.f.watch(p.T, p.c, n)
	}
	p.until("missed when they go", func() bool {
		return p.f.value(p.T, `max(last_over_time(rabbitmq_queues_kept[1m]))`) >= float64(len(names))
	})
}

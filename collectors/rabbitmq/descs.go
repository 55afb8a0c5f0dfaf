package rabbitmq

import (
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
)

func gaugeOf(name string, unit metric.Unit, help string) *metric.Desc {
	return &metric.Desc{Name: name, Kind: metric.Gauge, Unit: unit, Help: help}
}

func counterOf(name, help string) *metric.Desc {
	return &metric.Desc{Name: name, Kind: metric.Counter, Help: help}
}

// Told by ourselves.
var (
	descFound     = gaugeOf("rabbitmq_found_not_watched", metric.Count, "1: a broker was found, and no credentials are configured to watch it")
	descUp        = gaugeOf("rabbitmq_up", metric.Count, "1: the local node answers for itself")
	descState     = gaugeOf("rabbitmq_state", metric.Count, "1 for the state that the node is in, 0 for the others")
	descEvidence  = gaugeOf("rabbitmq_evidence", metric.Count, "1 for what the state rests on")
	descStateAge  = gaugeOf("rabbitmq_state_age_seconds", metric.Seconds, "Since when the node is in its state")
	descProbeOK   = gaugeOf("rabbitmq_probe_success", metric.Count, "1: the endpoint answered at the last check")
	descProbeTime = gaugeOf("rabbitmq_probe_duration_seconds", metric.Seconds, "How long the last check of the endpoint took")
	descPortOpen  = gaugeOf("rabbitmq_port_open", metric.Count, "1: the port of the local node takes connections")
	descProc      = gaugeOf("rabbitmq_process_running", metric.Count, "1: the Erlang virtual machine of the broker is among the processes")
	descInOrder   = gaugeOf("rabbitmq_stopped_in_order", metric.Count, "1: the node is down because the service manager stopped it")
	descAppAgain  = counterOf("rabbitmq_app_restarts_total", "Pauses, autoheals and other restarts of the application while the virtual machine kept running")
	descVMAgain   = counterOf("rabbitmq_vm_restarts_total", "Restarts of the virtual machine seen by its uptime")
	descHandling  = gaugeOf("rabbitmq_partition_handling", metric.Count, "1: what the node does in a partition (ignore, pause_minority, autoheal, pause_if_all_down), where its configuration can be read")
	descInfo      = gaugeOf("rabbitmq_node_info", metric.Count, "1: which broker (Erlang name, version) the agent of this node watches")

	descExpected   = gaugeOf("rabbitmq_cluster_nodes_expected", metric.Count, "Nodes that belong to the cluster, running or not")
	descSeenUp     = gaugeOf("rabbitmq_cluster_nodes_running", metric.Count, "Nodes that this one sees running, itself among them")
	descReachable  = gaugeOf("rabbitmq_cluster_nodes_reachable", metric.Count, "Nodes whose distribution port answers from here, itself among them")
	descPeerRuns   = gaugeOf("rabbitmq_peer_running", metric.Count, "1: this node sees the peer running")
	descPeerLink   = gaugeOf("rabbitmq_peer_link_up", metric.Count, "1: the distribution link to the peer is up")
	descPeerTCP    = gaugeOf("rabbitmq_peer_tcp_up", metric.Count, "1: the peer's host answers at its distribution port, refusals among them")
	descPeerSilent = gaugeOf("rabbitmq_peer_silent_seconds", metric.Seconds, "How long the peer's distribution port has not answered")
	descPeerDown   = gaugeOf("rabbitmq_peer_declared_down_in_seconds", metric.Seconds, "Until the tick timeout declares the silent peer down, about")
	descPeerBytes  = &metric.Desc{Name: "rabbitmq_peer_link_bytes_total", Kind: metric.Counter, Unit: metric.Bytes, Help: "Bytes over the distribution link to the peer"}
	descDistQueue  = gaugeOf("rabbitmq_dist_queue_bytes", metric.Bytes, "Bytes waiting to be sent to the peer")
	descView       = gaugeOf("rabbitmq_view", metric.Count, "1 for the side that this node sees itself on: the nodes it works with, joined by +")
	descSplit      = gaugeOf("rabbitmq_partitions", metric.Count, "Nodes that this one says it is partitioned from; stays 0 while the network is cut")

	descQuorumCrit = gaugeOf("rabbitmq_quorum_critical", metric.Count, "1: without this node some quorum queue loses its majority")
	descMirrorCrit = gaugeOf("rabbitmq_mirror_sync_critical", metric.Count, "1: without this node some mirrored queue has no mirror in step")
	descVHostsDown = gaugeOf("rabbitmq_vhosts_down", metric.Count, "Vhosts of the cluster that do not run on this node: nobody can connect to them here")
	descVHostDown  = gaugeOf("rabbitmq_vhost_down", metric.Count, "1 for a vhost that does not run on this node, of the first 10")
	descVHostIs    = gaugeOf("rabbitmq_vhost_present", metric.Count, "0: the vhost is not there any more, though it is configured or was in use within a day")
	descUnlisted   = gaugeOf("rabbitmq_peers_unlisted", metric.Count, "Members that this node had before it started, and that its cluster does not list")
	descQGone      = gaugeOf("rabbitmq_queues_missing", metric.Count, "Durable queues that were in use for an hour or more within a day, and are not there any more")
	descQKept      = gaugeOf("rabbitmq_queues_kept", metric.Count, "Durable queues that were in use for an hour or more within a day, there or not")
	descQGoneOne   = gaugeOf("rabbitmq_queue_missing", metric.Count, "1 for such a queue, of the first 10")
	descQDownOne   = gaugeOf("rabbitmq_queue_down", metric.Count, "1 for a queue whose home is gone, of the first 10")
	descQNoMajOne  = gaugeOf("rabbitmq_queue_without_majority", metric.Count, "1 for a queue without its majority, of the first 10")
	descConnFrom   = gaugeOf("rabbitmq_connections_from", metric.Count, "Connections to this node by the host and the user they come from, of the three with most")
	descNoMajority = gaugeOf("rabbitmq_quorum_queues_without_majority", metric.Count, "Quorum queues and streams with half their members or fewer online, or without a leader")
	descQueuesDown = gaugeOf("rabbitmq_queues_down", metric.Count, "Queues whose home is gone")
	descUnsynced   = gaugeOf("rabbitmq_queues_unsynchronised", metric.Count, "Mirrored queues with a mirror out of step")
	descConnState  = gaugeOf("rabbitmq_connections_state", metric.Count, "Connections to this node by state, of the cluster's first 10,000")
	descLag        = gaugeOf("rabbitmq_statistics_lag", metric.Count, "Events that the broker's statistics have still to read")

	descExIn       = counterOf("rabbitmq_exchange_published_in_total", "Messages into the exchange")
	descExOut      = counterOf("rabbitmq_exchange_published_out_total", "Messages out of the exchange, one for each queue they went to")
	descExBindings = gaugeOf("rabbitmq_exchange_bindings", metric.Count, "What is bound to the exchange")
	descExPresent  = gaugeOf("rabbitmq_exchange_present", metric.Count, "0: the configured exchange, or its vhost, is not there any more")
	descExExpected = gaugeOf("rabbitmq_exchange_bindings_expected", metric.Count, "What should be bound to the exchange, as configured")

	descQReady     = gaugeOf("rabbitmq_queue_messages_ready", metric.Count, "Messages ready in one queue: a configured one, or one of the longest on its node, what is not acknowledged counted")
	descQUnacked   = gaugeOf("rabbitmq_queue_messages_unacked", metric.Count, "Messages delivered from the queue and not acknowledged")
	descQPresent   = gaugeOf("rabbitmq_queue_present", metric.Count, "1: this node leads the configured queue; 0 on all nodes: it is gone")
	descQWatched   = gaugeOf("rabbitmq_queue_watched", metric.Count, "1: the queue is a configured one")
	descQAge       = gaugeOf("rabbitmq_queue_backlog_age_seconds", metric.Seconds, "Since when the queue was never seen empty, as far as this node has led it")
	descQConsumers = gaugeOf("rabbitmq_queue_consumers", metric.Count, "Consumers of the queue")
	descQRest      = gaugeOf("rabbitmq_queues_rest_messages_ready", metric.Count, "Messages ready in the queues of this node that have no series of their own")
	descQUnread    = gaugeOf("rabbitmq_queues_growing_without_consumers", metric.Count, "Queues that nobody reads and that grew since the last check")
	descQIdle      = gaugeOf("rabbitmq_queues_without_consumers", metric.Count, "Queues with messages that nobody reads")
	descAlarm      = gaugeOf("rabbitmq_alarm", metric.Count, "1: the resource alarm of this node blocks publishers everywhere")
)

// pluginFamilies are the families taken over from the prometheus plugin, summed over protocol and queue type. Names
// are the plugin's own, as recorded from 3.10.8; what a version does not have is absent.
var pluginFamilies = func() map[string]*metric.Desc {
	m := map[string]*metric.Desc{}
	for _, d := range []*metric.Desc{
		gaugeOf("rabbitmq_erlang_uptime_seconds", metric.Seconds, "Uptime of the virtual machine"),
		gaugeOf("rabbitmq_erlang_net_ticktime_seconds", metric.Seconds, "After about this long without a word a peer is declared down"),
		gaugeOf("rabbitmq_process_resident_memory_bytes", metric.Bytes, "Memory used"),
		gaugeOf("rabbitmq_resident_memory_limit_bytes", metric.Bytes, "Memory at which publishers are blocked"),
		gaugeOf("rabbitmq_disk_space_available_bytes", metric.Bytes, "Disk space left"),
		gaugeOf("rabbitmq_disk_space_available_limit_bytes", metric.Bytes, "Disk space below which publishers are blocked"),
		gaugeOf("rabbitmq_process_open_fds", metric.Count, "File descriptors open"),
		gaugeOf("rabbitmq_process_max_fds", metric.Count, "File descriptors allowed"),
		gaugeOf("rabbitmq_process_open_tcp_sockets", metric.Count, "Sockets open"),
		gaugeOf("rabbitmq_process_max_tcp_sockets", metric.Count, "Sockets allowed"),
		gaugeOf("rabbitmq_erlang_processes_used", metric.Count, "Erlang processes"),
		gaugeOf("rabbitmq_erlang_processes_limit", metric.Count, "Erlang processes allowed"),
		gaugeOf("rabbitmq_erlang_scheduler_run_queue", metric.Count, "Erlang processes waiting for a processor"),
		gaugeOf("rabbitmq_connections", metric.Count, "Connections to this node"),
		gaugeOf("rabbitmq_channels", metric.Count, "Channels on this node"),
		gaugeOf("rabbitmq_consumers", metric.Count, "Consumers on this node"),
		gaugeOf("rabbitmq_queues", metric.Count, "Queues whose leader is this node"),
		gaugeOf("rabbitmq_unreachable_cluster_peers_count", metric.Count, "Peers that the broker says it can not reach (3.11 and later)"),
		counterOf("rabbitmq_connections_opened_total", "Connections opened"),
		counterOf("rabbitmq_connections_closed_total", "Connections closed"),
		counterOf("rabbitmq_channels_opened_total", "Channels opened"),
		counterOf("rabbitmq_channels_closed_total", "Channels closed"),
		counterOf("rabbitmq_queues_created_total", "Queues created"),
		counterOf("rabbitmq_queues_deleted_total", "Queues deleted"),
		counterOf("rabbitmq_global_messages_received_total", "Messages received from publishers"),
		counterOf("rabbitmq_global_messages_received_confirm_total", "Messages received that want a confirm"),
		counterOf("rabbitmq_global_messages_routed_total", "Messages routed, one for each queue"),
		counterOf("rabbitmq_global_messages_confirmed_total", "Messages confirmed to publishers"),
		counterOf("rabbitmq_global_messages_delivered_total", "Messages delivered to consumers"),
		counterOf("rabbitmq_global_messages_acknowledged_total", "Messages acknowledged by consumers"),
		counterOf("rabbitmq_global_messages_redelivered_total", "Messages delivered again"),
		counterOf("rabbitmq_global_messages_unroutable_dropped_total", "Messages that no queue took, dropped"),
		counterOf("rabbitmq_global_messages_unroutable_returned_total", "Messages that no queue took, returned"),
		counterOf("rabbitmq_global_messages_dead_lettered_expired_total", "Messages dead-lettered because they expired"),
		counterOf("rabbitmq_global_messages_dead_lettered_maxlen_total", "Messages dead-lettered because the queue was full"),
		counterOf("rabbitmq_global_messages_dead_lettered_rejected_total", "Messages dead-lettered because they were rejected"),
		counterOf("rabbitmq_global_messages_dead_lettered_delivery_limit_total", "Messages dead-lettered after too many deliveries"),
		counterOf("rabbitmq_raft_term_total", "Raft terms: rises with each election"),
		counterOf("rabbitmq_auth_attempts_total", "Logins, our own requests among them"),
		counterOf("rabbitmq_auth_attempts_failed_total", "Logins refused"),
		gaugeOf("rabbitmq_alarms_memory_used_watermark", metric.Count, ""),
		gaugeOf("rabbitmq_alarms_free_disk_space_watermark", metric.Count, ""),
		gaugeOf("rabbitmq_alarms_file_descriptor_limit", metric.Count, ""),
	} {
		m[d.Name] = d
	}
	return m
}()

// alarmFamilies are the families that become one metric, and their label resource.
var alarmFamilies = map[string]string{
	"rabbitmq_alarms_memory_used_watermark":     "memory",
	"rabbitmq_alarms_free_disk_space_watermark": "disk",
	"rabbitmq_alarms_file_descriptor_limit":     "file_descriptors",
}

func metrics() []*metric.Desc {
	all := []*metric.Desc{
		descFound, descUp, descState, descEvidence, descStateAge, descProbeOK, descProbeTime,
		descPortOpen, descProc, descAppAgain, descVMAgain, descInfo, descHandling, descExpected, descSeenUp,
		descReachable, descPeerRuns, descPeerLink, descPeerTCP, descPeerSilent, descPeerDown,
		descPeerBytes, descDistQueue, descView, descSplit, descQuorumCrit, descMirrorCrit,
		descVHostsDown, descVHostDown, descVHostIs, descUnlisted, descQGone, descQKept, descQGoneOne, descQDownOne, descQNoMajOne,
		descConnFrom, descQAge,
		descNoMajority, descQueuesDown, descUnsynced, descConnState, descLag, descExIn, descExOut,
		descExBindings, descExExpected, descQReady, descQUnacked, descQConsumers, descQRest,
		descQUnread, descQIdle, descAlarm, descExPresent, descQPresent, descInOrder, descQWatched,
		descTrips, descTripTime, descTripsIn, descTripInTime,
	}
	for name, d := range pluginFamilies {
		if _, alarm := alarmFamilies[name]; !alarm {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *metric.Desc) int { return strings.Compare(a.Name, b.Name) })
	return all
}

package collectors

import "github.com/navcloud/binnacle/agent/metric"

// What is told of the node and of the looking at it.
var (
	riakUp            = riakGauge("riak_up", metric.Count, "1: /stats was answered with figures")
	riakPingUp        = riakGauge("riak_ping_up", metric.Count, "1: /ping was answered OK, or that it wants TLS")
	riakListening     = riakGauge("riak_listening", metric.Count, "0: nobody takes connections at the HTTP port")
	riakPBUp          = riakGauge("riak_pb_up", metric.Count, "1: the protocol-buffer listener answers a ping")
	riakStatsTime     = riakGauge("riak_stats_duration_seconds", metric.Seconds, "How long /stats took, failures too")
	riakStatsFields   = riakGauge("riak_stats_fields", metric.Count, "Fields in /stats; fewer just after a start")
	riakStatsFailures = riakCounter("riak_stats_failures_total", metric.Count, "Requests of /stats that gave no figures")
	riakInfo          = riakGauge("riak_info", metric.Count, "Always 1; versions and backend as labels")

	riakMemberSelf      = riakGauge("riak_member_self", metric.Count, "Always 1; the Erlang name of this node as the label member")
	riakMemberConnected = riakGauge("riak_member_connected", metric.Count, "1: this node is connected to the member of its ring")
	riakMembers         = riakGauge("riak_ring_members", metric.Count, "Members of the ring, as this node sees it")
	riakConnected       = riakGauge("riak_connected_members", metric.Count, "Members that this node is connected to, itself included")
	riakPartitions      = riakGauge("riak_ring_partitions", metric.Count, "Partitions of the ring")
	riakOwned           = riakGauge("riak_ring_partitions_owned", metric.Count, "Partitions that the member owns, as this node sees it")
	riakRingView        = riakGauge("riak_ring_view", metric.Count, "A number that two nodes share when they see the same members and owners")
	riakFallback        = riakGauge("riak_fallback_vnodes", metric.Count, "Vnodes that run here for partitions of others; none told for 10 min after owners changed")

	riakDiskUsed = riakGauge("riak_disk_used_ratio", metric.Ratio, "Use of the data's file system, as the node last looked (up to 30 min ago)")
	riakDiskSize = riakGauge("riak_disk_size_bytes", metric.Bytes, "Size of the data's file system, as the node sees it")
)

// What the kernel tells of the node, and what is told where an option wants it.
var (
	riakStart       = riakGauge("riak_process_start_seconds", metric.Seconds, "When its virtual machine started, since the machine did")
	riakResident    = riakGauge("riak_process_resident_memory_bytes", metric.Bytes, "Memory of its virtual machine, bitcask's keys included")
	riakMemoryLimit = riakGauge("riak_process_memory_limit_bytes", metric.Bytes, "Memory that it may use: of its control group, else of the machine")
	riakFiles       = riakGauge("riak_process_open_fds", metric.Count, "Files that it has open")
	riakFileLimit   = riakGauge("riak_process_max_fds", metric.Count, "Files that it may have open")
	riakDataSize    = riakGauge("riak_data_size_bytes", metric.Bytes, "Size of the file system of its data, now")
	riakDataFree    = riakGauge("riak_data_available_bytes", metric.Bytes, "Of it, free")
	riakExposed     = riakGauge("riak_stats_exposed", metric.Count, "1: the listener of /stats, which asks for no password, is open to other machines")
	riakRestarts    = riakCounter("riak_restarts_total", metric.Count, "Restarts of the node since the agent's, as totals that fell tell")
	riakInOrder     = riakGauge("riak_stopped_in_order", metric.Count, "1: nobody listens because the service manager stopped the node")

	riakExtraOK       = riakGauge("riak_look_success", metric.Count, "1: the look that an option wants (admin, keydir, tls, log) went well")
	riakMemberStatus  = riakGauge("riak_member_status", metric.Count, "Always 1; valid, joining, leaving, exiting or down as the label status")
	riakMemberPending = riakGauge("riak_member_pending_ratio", metric.Ratio, "Share of the ring that the member will own")
	riakRingReady     = riakGauge("riak_ring_ready", metric.Count, "1: all nodes agree on the ring")
	riakPendingOwners = riakGauge("riak_pending_ownership_partitions", metric.Count, "Partitions on their way to another owner")
	riakUnreachable   = riakGauge("riak_unreachable_members", metric.Count, "Members that riak admin can not reach")
	riakWaiting       = riakGauge("riak_pending_transfers", metric.Count, "Partitions that the member has to hand to others")
	riakActive        = riakGauge("riak_active_transfers", metric.Count, "Transfers under way")
	riakMoved         = riakGauge("riak_active_transfer_objects", metric.Count, "Objects that transfers under way have moved, of those that tell")
	riakKeys          = riakGauge("riak_bitcask_keys", metric.Count, "Keys in memory, over the partitions of this node")
	riakDeadBytes     = riakGauge("riak_bitcask_dead_bytes", metric.Bytes, "Of its files, what a merge would give back")
	riakDataBytes     = riakGauge("riak_bitcask_data_bytes", metric.Bytes, "Size of its files")
	riakTLSNotAfter   = riakGauge("riak_tls_not_after_timestamp_seconds", metric.Seconds, "When the first certificate of the listener to expire does so, since 1970")
	riakLogged        = riakCounter("riak_log_events_total", metric.Count, "Lines of the log by what they tell")
)

// What a table below tells.
var (
	riakOps          = riakCounter("riak_node_ops_total", metric.Count, "Requests that this node coordinated")
	riakVnodeOps     = riakCounter("riak_vnode_ops_total", metric.Count, "Requests that its vnodes served")
	riakDatatypeOps  = riakCounter("riak_datatype_ops_total", metric.Count, "Requests of data types")
	riakIndexReads   = riakCounter("riak_index_reads_total", metric.Count, "Reads of secondary indexes by its vnodes")
	riakWriteOnce    = riakCounter("riak_write_once_puts_total", metric.Count, "Puts to write-once buckets")
	riakListKeys     = riakCounter("riak_list_keys_total", metric.Count, "Key listings begun")
	riakListActive   = riakGauge("riak_list_keys_active", metric.Count, "Key listings under way")
	riakFSMTime      = riakGauge("riak_fsm_time_seconds", metric.Seconds, "Time of requests that ended in the last minute, whole; only where there were some")
	riakFSMSamples   = riakGauge("riak_fsm_samples", metric.Count, "Requests that ended in the last minute: what riak_fsm_time_seconds rests on")
	riakVnodeTime    = riakGauge("riak_vnode_time_seconds", metric.Seconds, "Time in the vnode (the disk) of requests of the last minute")
	riakSiblings     = riakGauge("riak_object_siblings", metric.Count, "Siblings of objects read in the last minute")
	riakObjectSize   = riakGauge("riak_object_size_bytes", metric.Bytes, "Size of objects read in the last minute")
	riakMerges       = riakCounter("riak_object_merges_total", metric.Count, "Objects merged")
	riakMergeTime    = riakGauge("riak_object_merge_seconds", metric.Seconds, "Time of merges of the last minute")
	riakFSMActive    = riakGauge("riak_fsm_active", metric.Count, "Requests under way")
	riakFSMRejected  = riakCounter("riak_fsm_rejected_total", metric.Count, "Requests refused by overload protection")
	riakGetErrors    = riakCounter("riak_get_fsm_errors_total", metric.Count, "Gets that failed")
	riakQueue        = riakGauge("riak_vnode_queue_messages", metric.Count, "Messages that wait for a vnode, now")
	riakVnodes       = riakGauge("riak_vnodes_running", metric.Count, "Vnodes running")
	riakDropped      = riakCounter("riak_dropped_vnode_requests_total", metric.Count, "Requests that vnodes dropped")
	riakMboxTimeouts = riakCounter("riak_vnode_mailbox_check_timeouts_total", metric.Count, "Checks of a vnode's mailbox that got no answer")
	riakSoftLoaded   = riakCounter("riak_vnode_soft_loaded_total", metric.Count, "Checks that found a vnode's mailbox long")
	riakCoordination = riakCounter("riak_put_coordination_total", metric.Count, "Puts by where they were coordinated and why")
	riakRepairs      = riakCounter("riak_read_repairs_total", metric.Count, "Read repairs")
	riakRepairCause  = riakCounter("riak_read_repairs_by_cause_total", metric.Count, "Read repairs by replica and reason")
	riakRepairSkip   = riakCounter("riak_read_repairs_skipped_total", metric.Count, "Read repairs skipped")
	riakAAE          = riakCounter("riak_aae_exchange_total", metric.Count, "Exchanges of Tictac active anti-entropy")
	riakAAEQueue     = riakGauge("riak_aae_queue_seconds", metric.Seconds, "Wait in the queue of active anti-entropy")
	riakFullsync     = riakCounter("riak_fullsync_total", metric.Count, "Comparisons with another cluster")
	riakRepl         = riakCounter("riak_repl_objects_total", metric.Count, "Objects of replication to another cluster")
	riakReadErrors   = riakCounter("riak_leveldb_read_block_errors_total", metric.Count, "Blocks that leveldb could not read")
	riakReconciled   = riakCounter("riak_ring_reconciled_total", metric.Count, "Rings reconciled")
	riakGossip       = riakCounter("riak_gossip_ignored_total", metric.Count, "Gossip ignored")
	riakHandoffTime  = riakCounter("riak_handoff_timeouts_total", metric.Count, "Handoffs that timed out")
	riakHandoffRej   = riakCounter("riak_handoff_rejected_total", metric.Count, "Handoffs refused")
	riakPBConns      = riakGauge("riak_pb_connections", metric.Count, "Protocol-buffer connections")
	riakPBConnects   = riakCounter("riak_pb_connects_total", metric.Count, "Protocol-buffer connections begun")
	riakHooks        = riakCounter("riak_hook_failures_total", metric.Count, "Hooks that failed")
	riakMemory       = riakGauge("riak_erlang_memory_bytes", metric.Bytes, "Memory of the Erlang VM; bitcask's keys are not in it")
	riakProcesses    = riakGauge("riak_erlang_processes", metric.Count, "Erlang processes")
	riakPorts        = riakGauge("riak_erlang_ports", metric.Count, "Erlang ports")
	riakPoolJobs     = riakCounter("riak_worker_pool_jobs_total", metric.Count, "Jobs of the worker pool")
	riakPoolQueue    = riakGauge("riak_worker_pool_queue_seconds", metric.Seconds, "Wait for a worker")
)

func riakGauge(name string, unit metric.Unit, help string) *metric.Desc {
	return &metric.Desc{Name: name, Kind: metric.Gauge, Unit: unit, Help: help}
}

func riakCounter(name string, unit metric.Unit, help string) *metric.Desc {
	return &metric.Desc{Name: name, Kind: metric.Counter, Unit: unit, Help: help}
}

// riakField is one figure of /stats: where it stands and what becomes of it.
type riakField struct {
	key     string
	desc    *metric.Desc
	per     float64 // of its unit in one of ours
	samples string  // the figure means something only where this one is above 0
	labels  []string
}

const microseconds = 1e6

// riakFields is all that is read from /stats as a number. Fields of "undefined", and those that a version
// does not have, are left out: absent is not zero.
// Source: the statistics sources of riak_kv 2.1.8 to 3.4, and the registry of a running node of 3.2.3, November 2026.
var riakFields = riakTable()

func riakTable() []riakField {
	var t []riakField
	add := func(d *metric.Desc, key string, labels ...string) {
		t = append(t, riakField{key: key, desc: d, per: 1, labels: labels})
	}
	stat := func(d *metric.Desc, base, samples string, per float64, labels ...string) {
		for _, s := range [][2]string{{"mean", "mean"}, {"median", "p50"}, {"95", "p95"}, {"99", "p99"}, {"100", "max"}} {
			t = append(t, riakField{base + "_" + s[0], d, per, samples, append([]string{"stat", s[1]}, labels...)})
		}
	}
	for _, op := range []string{"get", "put"} {
		add(riakOps, "node_"+op+"s_total", "op", op)
		add(riakFSMActive, "node_"+op+"_fsm_active", "op", op)
		add(riakFSMRejected, "node_"+op+"_fsm_rejected_total", "op", op)
		add(riakFSMSamples, "node_"+op+"s", "op", op)
		stat(riakFSMTime, "node_"+op+"_fsm_time", "node_"+op+"s", microseconds, "op", op)
		for _, typ := range []string{"counter", "set", "map", "hll"} {
			add(riakDatatypeOps, "node_"+op+"s_"+typ+"_total", "type", typ, "op", op)
		}
	}
	for _, op := range []string{"get", "put", "head"} {
		add(riakVnodeOps, "vnode_"+op+"s_total", "op", op)
		stat(riakVnodeTime, "vnode_"+op+"_fsm_time", "vnode_"+op+"s", microseconds, "op", op)
	}
	stat(riakSiblings, "node_get_fsm_siblings", "node_gets", 1)
	stat(riakObjectSize, "node_get_fsm_objsize", "node_gets", 1)
	stat(riakMergeTime, "object_merge_time", "object_merge", microseconds)
	for _, service := range []string{"kv", "pipe"} {
		add(riakVnodes, "riak_"+service+"_vnodes_running", "service", service)
		for _, s := range []string{"min", "mean", "median", "max", "total"} {
			add(riakQueue, "riak_"+service+"_vnodeq_"+s, "service", service, "stat", s)
		}
	}
	for _, pool := range []string{"af1_pool", "af2_pool", "af3_pool", "af4_pool", "be_pool", "node_worker_pool", "vnode_pool", "unregistered"} {
		add(riakPoolJobs, "worker_"+pool+"_total", "pool", pool)
		t = append(t,
			riakField{"worker_" + pool + "_queuetime_mean", riakPoolQueue, microseconds, "worker_" + pool + "_queuetime_mean", []string{"pool", pool, "stat", "mean"}},
			riakField{"worker_" + pool + "_queuetime_100", riakPoolQueue, microseconds, "worker_" + pool + "_queuetime_100", []string{"pool", pool, "stat", "max"}})
	}
	for _, where := range []string{"redirs", "redir_unloaded", "redir_least_loaded", "redir_loaded_local", "local_unloaded", "local_soft_loaded"} {
		add(riakCoordination, "coord_"+where+"_total", "where", where)
	}
	for _, target := range []string{"primary", "fallback"} {
		for _, reason := range []string{"notfound", "outofdate"} {
			add(riakRepairCause, "read_repairs_"+target+"_"+reason+"_count", "target", target, "reason", reason)
		}
	}
	for _, result := range []string{"exchange", "error", "timeout", "not_supported"} {
		add(riakAAE, "tictacaae_"+result+"_total", "result", result)
	}
	for _, result := range []string{"sync", "nosync", "fail"} {
		add(riakFullsync, "ttaaefs_"+result+"_total", "result", result)
	}
	for _, event := range []string{"empty", "error", "object", "srcdiscard"} {
		add(riakRepl, "ngrrepl_"+event+"_total", "event", event)
	}
	for _, kind := range []string{"total", "processes", "processes_used", "system", "atom", "atom_used", "binary", "code", "ets"} {
		add(riakMemory, "memory_"+kind, "kind", kind)
	}
	return append(t, riakSingles()...)
}

// riakSingles are the figures that have no siblings.
func riakSingles() []riakField {
	one := func(d *metric.Desc, key string, labels ...string) riakField {
		return riakField{key: key, desc: d, per: 1, labels: labels}
	}
	return []riakField{
		one(riakIndexReads, "vnode_index_reads_total"),
		one(riakWriteOnce, "write_once_puts_total"),
		one(riakListKeys, "list_fsm_create_total"),
		one(riakListActive, "list_fsm_active"),
		one(riakMerges, "object_merge_total"),
		one(riakGetErrors, "node_get_fsm_errors_total"),
		one(riakDropped, "dropped_vnode_requests_total"),
		one(riakMboxTimeouts, "vnode_mbox_check_timeout_total"),
		one(riakSoftLoaded, "soft_loaded_vnode_mbox_total"),
		one(riakRepairs, "read_repairs_total"),
		one(riakRepairSkip, "skipped_read_repairs_total"),
		one(riakReadErrors, "leveldb_read_block_error"),
		one(riakReconciled, "rings_reconciled_total"),
		one(riakGossip, "ignored_gossip_total"),
		one(riakHandoffTime, "handoff_timeouts"),
		one(riakHandoffRej, "rejected_handoffs"),
		one(riakPBConns, "pbc_active"),
		one(riakPBConnects, "pbc_connects_total"),
		one(riakHooks, "precommit_fail", "hook", "precommit"),
		one(riakHooks, "postcommit_fail", "hook", "postcommit"),
		one(riakProcesses, "sys_process_count"),
		one(riakPorts, "sys_port_count"),
		one(riakPartitions, "ring_num_partitions"),
		{key: "tictacaae_queue_microsec_mean", desc: riakAAEQueue, per: microseconds, samples: "tictacaae_queue_microsec_mean", labels: []string{"stat", "mean"}},
		{key: "tictacaae_queue_microsec__max", desc: riakAAEQueue, per: microseconds, samples: "tictacaae_queue_microsec__max", labels: []string{"stat", "max"}}, // sic
	}
}

// riakMetrics lists what the collector may yield.
func riakMetrics() []*metric.Desc {
	out := []*metric.Desc{
		riakUp, riakPingUp, riakListening, riakPBUp, riakStatsTime, riakStatsFields, riakStatsFailures, riakInfo,
		riakMemberSelf, riakMemberConnected, riakMembers, riakConnected, riakOwned, riakRingView, riakFallback,
		riakDiskUsed, riakDiskSize, riakStart, riakResident, riakMemoryLimit, riakFiles, riakFileLimit, riakDataSize, riakDataFree,
		riakExposed, riakInOrder, riakRestarts, riakExtraOK, riakMemberStatus, riakMemberPending, riakRingReady, riakPendingOwners,
		riakUnreachable, riakWaiting, riakActive, riakMoved, riakKeys, riakDeadBytes, riakDataBytes, riakTLSNotAfter, riakLogged,
	}
	have := map[*metric.Desc]bool{}
	for _, f := range riakFields {
		if !have[f.desc] {
			have[f.desc] = true
			out = append(out, f.desc)
		}
	}
	return out
}

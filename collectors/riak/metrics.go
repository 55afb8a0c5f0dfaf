package riak

import "github.com/navcloud/binnacle/agent/metric"

// What is told of the node and of the looking at it.
var (
	descUp            = gauge("riak_up", metric.Count, "1: /stats was answered with figures")
	descPingUp        = gauge("riak_ping_up", metric.Count, "1: /ping was answered OK, or that it wants TLS")
	descListening     = gauge("riak_listening", metric.Count, "0: nobody takes connections at the HTTP port")
	descPBUp          = gauge("riak_pb_up", metric.Count, "1: the protocol-buffer listener answers a ping, or that it wants TLS")
	descState         = gauge("riak_state", metric.Count, "1 for the state that the node is in, 0 for the others")
	descEvidence      = gauge("riak_evidence", metric.Count, "1 for what the state rests on")
	descStateAge      = gauge("riak_state_age_seconds", metric.Seconds, "Since when the node is in its state")
	descStatsTime     = gauge("riak_stats_duration_seconds", metric.Seconds, "How long /stats took, failures too")
	descStatsFields   = gauge("riak_stats_fields", metric.Count, "Fields in /stats; fewer just after a start")
	descStatsFailures = counter("riak_stats_failures_total", metric.Count, "Requests of /stats that gave no figures")
	descInfo          = gauge("riak_info", metric.Count, "Always 1; versions and backend as labels")

	descMemberSelf      = gauge("riak_member_self", metric.Count, "Always 1; the Erlang name of this node as the label member")
	descMemberConnected = gauge("riak_member_connected", metric.Count, "1: this node is connected to the member of its ring")
	descMembers         = gauge("riak_ring_members", metric.Count, "Members of the ring, as this node sees it")
	descConnected       = gauge("riak_connected_members", metric.Count, "Members that this node is connected to, itself included")
	descPartitions      = gauge("riak_ring_partitions", metric.Count, "Partitions of the ring")
	descOwned           = gauge("riak_ring_partitions_owned", metric.Count, "Partitions that the member owns, as this node sees it")
	descRingView        = gauge("riak_ring_view", metric.Count, "A number that two nodes share when they see the same members and owners")
	descFallback        = gauge("riak_fallback_vnodes", metric.Count, "Vnodes that run here for partitions of others; none told for 10 min after owners changed")

	descDiskUsed = gauge("riak_disk_used_ratio", metric.Ratio, "Use of the data's file system, as the node last looked (up to 30 min ago)")
	descDiskSize = gauge("riak_disk_size_bytes", metric.Bytes, "Size of the data's file system, as the node sees it")
)

// What the kernel tells of the node, and what is told where an option wants it.
var (
	descStart       = gauge("riak_process_start_seconds", metric.Seconds, "When its virtual machine started, since the machine did")
	descResident    = gauge("riak_process_resident_memory_bytes", metric.Bytes, "Memory of its virtual machine, bitcask's keys included")
	descMemoryLimit = gauge("riak_process_memory_limit_bytes", metric.Bytes, "Memory that it may use: of its control group, else of the machine")
	descFiles       = gauge("riak_process_open_fds", metric.Count, "Files that it has open")
	descFileLimit   = gauge("riak_process_max_fds", metric.Count, "Files that it may have open")
	descDataSize    = gauge("riak_data_size_bytes", metric.Bytes, "Size of the file system of its data, now, as df counts: used and available")
	descDataFree    = gauge("riak_data_available_bytes", metric.Bytes, "Of it, free")
	descExposed     = gauge("riak_stats_exposed", metric.Count, "1: the listener of /stats, which asks for no password, is open to other machines")
	descRestarts    = counter("riak_restarts_total", metric.Count, "Restarts of the node since the agent's, as totals that fell tell")
	descInOrder     = gauge("riak_stopped_in_order", metric.Count, "1: nobody listens because the service manager stopped the node")

	descExtraOK       = gauge("riak_look_success", metric.Count, "1: the check that an option wants (admin, keydir, tls, log) went well")
	descMemberStatus  = gauge("riak_member_status", metric.Count, "1 for the status that the member has: valid, joining, leaving, exiting or down; 0 for the others")
	descMemberPending = gauge("riak_member_pending_ratio", metric.Ratio, "Share of the ring that the member will own")
	descRingReady     = gauge("riak_ring_ready", metric.Count, "1: all nodes agree on the ring")
	descPendingOwners = gauge("riak_pending_ownership_partitions", metric.Count, "Partitions on their way to another owner")
	descUnreachable   = gauge("riak_unreachable_members", metric.Count, "Members that riak admin can not reach")
	descWaiting       = gauge("riak_pending_transfers", metric.Count, "Partitions that the member has to hand to others")
	descActive        = gauge("riak_active_transfers", metric.Count, "Transfers under way")
	descMoved         = gauge("riak_active_transfer_objects", metric.Count, "Objects that transfers under way have moved, of those that tell")
	descKeys          = gauge("riak_bitcask_keys", metric.Count, "Keys in memory, over the partitions of this node")
	descDeadBytes     = gauge("riak_bitcask_dead_bytes", metric.Bytes, "Bytes of its files that a merge would free")
	descDataBytes     = gauge("riak_bitcask_data_bytes", metric.Bytes, "Size of its files")
	descTLSNotAfter   = gauge("riak_tls_not_after_timestamp_seconds", metric.Seconds, "When the first certificate of the listener to expire does so, since 1970")
	descLogged        = counter("riak_log_events_total", metric.Count, "Lines of the log by what they tell")
)

// What a table below tells.
var (
	descOps          = counter("riak_node_ops_total", metric.Count, "Requests that this node coordinated")
	descVnodeOps     = counter("riak_vnode_ops_total", metric.Count, "Requests that its vnodes served")
	descDatatypeOps  = counter("riak_datatype_ops_total", metric.Count, "Requests of data types")
	descIndexReads   = counter("riak_index_reads_total", metric.Count, "Reads of secondary indexes by its vnodes")
	descWriteOnce    = counter("riak_write_once_puts_total", metric.Count, "Puts to write-once buckets")
	descListKeys     = counter("riak_list_keys_total", metric.Count, "Key listings begun")
	descListActive   = gauge("riak_list_keys_active", metric.Count, "Key listings under way")
	descFSMTime      = gauge("riak_fsm_time_seconds", metric.Seconds, "Time of requests that ended in the last minute, whole; only where there were some")
	descFSMSamples   = gauge("riak_fsm_samples", metric.Count, "Requests that ended in the last minute: what riak_fsm_time_seconds rests on")
	descVnodeTime    = gauge("riak_vnode_time_seconds", metric.Seconds, "Time in the vnode (the disk) of requests of the last minute")
	descSiblings     = gauge("riak_object_siblings", metric.Count, "Siblings of objects read in the last minute")
	descObjectSize   = gauge("riak_object_size_bytes", metric.Bytes, "Size of objects read in the last minute")
	descMerges       = counter("riak_object_merges_total", metric.Count, "Objects merged")
	descMergeTime    = gauge("riak_object_merge_seconds", metric.Seconds, "Time of merges of the last minute")
	descFSMActive    = gauge("riak_fsm_active", metric.Count, "Requests under way")
	descFSMRejected  = counter("riak_fsm_rejected_total", metric.Count, "Requests refused by overload protection")
	descGetErrors    = counter("riak_get_fsm_errors_total", metric.Count, "Gets that failed")
	descQueue        = gauge("riak_vnode_queue_messages", metric.Count, "Messages that wait for a vnode, now")
	descVnodes       = gauge("riak_vnodes_running", metric.Count, "Vnodes running")
	descDropped      = counter("riak_dropped_vnode_requests_total", metric.Count, "Requests that vnodes dropped")
	descMboxTimeouts = counter("riak_vnode_mailbox_check_timeouts_total", metric.Count, "Checks of a vnode's mailbox that got no answer")
	descSoftLoaded   = counter("riak_vnode_soft_loaded_total", metric.Count, "Checks that found a vnode's mailbox long")
	descCoordination = counter("riak_put_coordination_total", metric.Count, "Puts by where they were coordinated and why")
	descRepairs      = counter("riak_read_repairs_total", metric.Count, "Read repairs")
	descRepairCause  = counter("riak_read_repairs_by_cause_total", metric.Count, "Read repairs by replica and reason")
	descRepairSkip   = counter("riak_read_repairs_skipped_total", metric.Count, "Read repairs skipped")
	descAAE          = counter("riak_aae_exchange_total", metric.Count, "Exchanges of Tictac active anti-entropy")
	descAAEQueue     = gauge("riak_aae_queue_seconds", metric.Seconds, "Wait in the queue of active anti-entropy")
	descFullsync     = counter("riak_fullsync_total", metric.Count, "Comparisons with another cluster")
	descRepl         = counter("riak_repl_objects_total", metric.Count, "Objects of replication to another cluster")
	descReadErrors   = counter("riak_leveldb_read_block_errors_total", metric.Count, "Blocks that leveldb could not read")
	descReconciled   = counter("riak_ring_reconciled_total", metric.Count, "Rings reconciled")
	descGossip       = counter("riak_gossip_ignored_total", metric.Count, "Gossip ignored")
	descHandoffTime  = counter("riak_handoff_timeouts_total", metric.Count, "Handoffs that timed out")
	descHandoffRej   = counter("riak_handoff_rejected_total", metric.Count, "Handoffs refused")
	descPBConns      = gauge("riak_pb_connections", metric.Count, "Protocol-buffer connections")
	descPBConnects   = counter("riak_pb_connects_total", metric.Count, "Protocol-buffer connections begun")
	descHooks        = counter("riak_hook_failures_total", metric.Count, "Hooks that failed")
	descMemory       = gauge("riak_erlang_memory_bytes", metric.Bytes, "Memory of the Erlang VM; bitcask's keys are not in it")
	descProcesses    = gauge("riak_erlang_processes", metric.Count, "Erlang processes")
	descPorts        = gauge("riak_erlang_ports", metric.Count, "Erlang ports")
	descPoolJobs     = counter("riak_worker_pool_jobs_total", metric.Count, "Jobs of the worker pool")
	descPoolQueue    = gauge("riak_worker_pool_queue_seconds", metric.Seconds, "Wait for a worker")
)

func gauge(name string, unit metric.Unit, help string) *metric.Desc {
	return &metric.Desc{Name: name, Kind: metric.Gauge, Unit: unit, Help: help}
}

func counter(name string, unit metric.Unit, help string) *metric.Desc {
	return &metric.Desc{Name: name, Kind: metric.Counter, Unit: unit, Help: help}
}

// statsField is one figure of /stats: where it stands and what becomes of it.
type statsField struct {
	key     string
	desc    *metric.Desc
	per     float64 // of its unit in one of ours
	samples string  // the figure means something only where this one is above 0
	labels  []string
}

const microseconds = 1e6

// statsFields is all that is read from /stats as a number. Fields of "undefined", and those that a version
// does not have, are left out: absent is not zero.
// Source: the statistics sources of riak_kv 2.1.8 to 3.4, and the registry of a running node of 3.2.3, November 2026.
var statsFields = fieldTable()

func fieldTable() []statsField {
	var t []statsField
	add := func(d *metric.Desc, key string, labels ...string) {
		t = append(t, statsField{key: key, desc: d, per: 1, labels: labels})
	}
	stat := func(d *metric.Desc, base, samples string, per float64, labels ...string) {
		for _, s := range [][2]string{{"mean", "mean"}, {"median", "p50"}, {"95", "p95"}, {"99", "p99"}, {"100", "max"}} {
			t = append(t, statsField{base + "_" + s[0], d, per, samples, append([]string{"stat", s[1]}, labels...)})
		}
	}
	for _, op := range []string{"get", "put"} {
		add(descOps, "node_"+op+"s_total", "op", op)
		add(descFSMActive, "node_"+op+"_fsm_active", "op", op)
		add(descFSMRejected, "node_"+op+"_fsm_rejected_total", "op", op)
		add(descFSMSamples, "node_"+op+"s", "op", op)
		stat(descFSMTime, "node_"+op+"_fsm_time", "node_"+op+"s", microseconds, "op", op)
		for _, typ := range []string{"counter", "set", "map", "hll"} {
			add(descDatatypeOps, "node_"+op+"s_"+typ+"_total", "type", typ, "op", op)
		}
	}
	for _, op := range []string{"get", "put", "head"} {
		add(descVnodeOps, "vnode_"+op+"s_total", "op", op)
		stat(descVnodeTime, "vnode_"+op+"_fsm_time", "vnode_"+op+"s", microseconds, "op", op)
	}
	stat(descSiblings, "node_get_fsm_siblings", "node_gets", 1)
	stat(descObjectSize, "node_get_fsm_objsize", "node_gets", 1)
	stat(descMergeTime, "object_merge_time", "object_merge", microseconds)
	for _, service := range []string{"kv", "pipe"} {
		add(descVnodes, "riak_"+service+"_vnodes_running", "service", service)
		for _, s := range []string{"min", "mean", "median", "max", "total"} {
			add(descQueue, "riak_"+service+"_vnodeq_"+s, "service", service, "stat", s)
		}
	}
	for _, pool := range []string{"af1_pool", "af2_pool", "af3_pool", "af4_pool", "be_pool", "node_worker_pool", "vnode_pool", "unregistered"} {
		add(descPoolJobs, "worker_"+pool+"_total", "pool", pool)
		t = append(t,
			statsField{"worker_" + pool + "_queuetime_mean", descPoolQueue, microseconds, "worker_" + pool + "_queuetime_mean", []string{"pool", pool, "stat", "mean"}},
			statsField{"worker_" + pool + "_queuetime_100", descPoolQueue, microseconds, "worker_" + pool + "_queuetime_100", []string{"pool", pool, "stat", "max"}})
	}
	for _, where := range []string{"redirs", "redir_unloaded", "redir_least_loaded", "redir_loaded_local", "local_unloaded", "local_soft_loaded"} {
		add(descCoordination, "coord_"+where+"_total", "where", where)
	}
	for _, target := range []string{"primary", "fallback"} {
		for _, reason := range []string{"notfound", "outofdate"} {
			add(descRepairCause, "read_repairs_"+target+"_"+reason+"_count", "target", target, "reason", reason)
		}
	}
	for _, result := range []string{"exchange", "error", "timeout", "not_supported"} {
		add(descAAE, "tictacaae_"+result+"_total", "result", result)
	}
	for _, result := range []string{"sync", "nosync", "fail"} {
		add(descFullsync, "ttaaefs_"+result+"_total", "result", result)
	}
	for _, event := range []string{"empty", "error", "object", "srcdiscard"} {
		add(descRepl, "ngrrepl_"+event+"_total", "event", event)
	}
	for _, kind := range []string{"total", "processes", "processes_used", "system", "atom", "atom_used", "binary", "code", "ets"} {
		add(descMemory, "memory_"+kind, "kind", kind)
	}
	return append(t, singles()...)
}

// singles are the figures that have no siblings.
func singles() []statsField {
	one := func(d *metric.Desc, key string, labels ...string) statsField {
		return statsField{key: key, desc: d, per: 1, labels: labels}
	}
	return []statsField{
		one(descIndexReads, "vnode_index_reads_total"),
		one(descWriteOnce, "write_once_puts_total"),
		one(descListKeys, "list_fsm_create_total"),
		one(descListActive, "list_fsm_active"),
		one(descMerges, "object_merge_total"),
		one(descGetErrors, "node_get_fsm_errors_total"),
		one(descDropped, "dropped_vnode_requests_total"),
		one(descMboxTimeouts, "vnode_mbox_check_timeout_total"),
		one(descSoftLoaded, "soft_loaded_vnode_mbox_total"),
		one(descRepairs, "read_repairs_total"),
		one(descRepairSkip, "skipped_read_repairs_total"),
		one(descReadErrors, "leveldb_read_block_error"),
		one(descReconciled, "rings_reconciled_total"),
		one(descGossip, "ignored_gossip_total"),
		one(descHandoffTime, "handoff_timeouts"),
		one(descHandoffRej, "rejected_handoffs"),
		one(descPBConns, "pbc_active"),
		one(descPBConnects, "pbc_connects_total"),
		one(descHooks, "precommit_fail", "hook", "precommit"),
		one(descHooks, "postcommit_fail", "hook", "postcommit"),
		one(descProcesses, "sys_process_count"),
		one(descPorts, "sys_port_count"),
		one(descPartitions, "ring_num_partitions"),
		{key: "tictacaae_queue_microsec_mean", desc: descAAEQueue, per: microseconds, samples: "tictacaae_queue_microsec_mean", labels: []string{"stat", "mean"}},
		{key: "tictacaae_queue_microsec__max", desc: descAAEQueue, per: microseconds, samples: "tictacaae_queue_microsec__max", labels: []string{"stat", "max"}}, // sic
	}
}

// metrics lists what the collector may yield.
func metrics() []*metric.Desc {
	out := []*metric.Desc{
		descUp, descPingUp, descListening, descPBUp, descState, descEvidence, descStateAge, descStatsTime, descStatsFields, descStatsFailures, descInfo,
		descMemberSelf, descMemberConnected, descMembers, descConnected, descOwned, descRingView, descFallback,
		descDiskUsed, descDiskSize, descStart, descResident, descMemoryLimit, descFiles, descFileLimit, descDataSize, descDataFree,
		descExposed, descInOrder, descRestarts, descExtraOK, descMemberStatus, descMemberPending, descRingReady, descPendingOwners,
		descUnreachable, descWaiting, descActive, descMoved, descKeys, descDeadBytes, descDataBytes, descTLSNotAfter, descLogged,
	}
	have := map[*metric.Desc]bool{}
	for _, f := range statsFields {
		if !have[f.desc] {
			have[f.desc] = true
			out = append(out, f.desc)
		}
	}
	return out
}

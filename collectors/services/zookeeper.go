package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// What ZooKeeper says of itself. Source: ZooKeeper 3.8 administrator's guide, "The Four Letter Words", read 30 November 2026. Its latencies are the
// least, mean and most since the start, and left out; so is ruok, which a server without a quorum answers with imok.
var (
	zkMode        = &metric.Desc{Name: "zookeeper_mode", Help: "1 for the part that a server plays: leader, follower, observer, standalone, read-only"}
	zkSynced      = &metric.Desc{Name: "zookeeper_synced_followers", Help: "Followers that are in step, as the leader has it"}
	zkLearners    = &metric.Desc{Name: "zookeeper_learners", Help: "Followers and observers, as the leader has it"}
	zkQuorumSize  = &metric.Desc{Name: "zookeeper_quorum_size", Help: "Servers that vote"}
	zkOutstanding = &metric.Desc{Name: "zookeeper_outstanding_requests", Help: "Requests that wait"}
	zkConns       = &metric.Desc{Name: "zookeeper_connections", Help: "Connections of clients"}
	zkRejected    = &metric.Desc{Name: "zookeeper_connections_rejected_total", Kind: metric.Counter, Help: "Connections refused for a limit, looks of our own among them"}
	zkNodes       = &metric.Desc{Name: "zookeeper_znodes", Help: "Nodes of the tree"}
	zkWatches     = &metric.Desc{Name: "zookeeper_watches", Help: "Watches"}
	zkEphemerals  = &metric.Desc{Name: "zookeeper_ephemerals", Help: "Ephemeral nodes"}
	zkData        = &metric.Desc{Name: "zookeeper_data_bytes", Unit: metric.Bytes, Help: "Data of the tree, about"}
	zkFiles       = &metric.Desc{Name: "zookeeper_open_files", Help: "File descriptors in use"}
	zkFilesLimit  = &metric.Desc{Name: "zookeeper_open_files_limit", Help: "Most file descriptors"}
	zkElections   = &metric.Desc{Name: "zookeeper_elections_total", Kind: metric.Counter, Help: "Times that a server looked for a leader"}
	zkSyncSeconds = &metric.Desc{Name: "zookeeper_fsync_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Time spent to write the log to the disk"}
	zkSyncs       = &metric.Desc{Name: "zookeeper_fsyncs_total", Kind: metric.Counter, Help: "Times that the log was written to the disk"}
	zkReqSeconds  = &metric.Desc{Name: "zookeeper_request_seconds_total", Kind: metric.Counter, Unit: metric.Seconds, Help: "Time spent on requests: read, update"}
	zkRequests    = &metric.Desc{Name: "zookeeper_requests_total", Kind: metric.Counter, Help: "Requests: read, update"}
	zkStart       = &metric.Desc{Name: "zookeeper_start_time_seconds", Unit: metric.Seconds, Help: "When the server started"}
)

// ZooKeeper is asked by its four-letter words: mntr, or srvr where only that is allowed.
var ZooKeeper = system{
	name: "zookeeper", schemes: map[string]string{"tcp": "2181", "tcps": "2281", "zookeeper": "2181"},
	found: "tcp://127.0.0.1:2181", missing: "add 4lw.commands.whitelist=mntr,srvr to zoo.cfg",
	descs: []*metric.Desc{
		zkMode, zkSynced, zkLearners, zkQuorumSize, zkOutstanding, zkConns, zkRejected, zkNodes, zkWatches, zkEphemerals, zkData, zkFiles, zkFilesLimit,
		zkElections, zkSyncSeconds, zkSyncs, zkReqSeconds, zkRequests, zkStart,
	},
	look: lookZooKeeper,
}.spec()

func lookZooKeeper(ctx context.Context, t *target, b *batch) error {
	text, err := t.word(ctx, "mntr")
	if err != nil {
		return err
	}
	mode := ""
	if strings.Contains(text, "not in the whitelist") {
		if text, err = t.word(ctx, "srvr"); err != nil {
			return err
		}
		mode = zkServer(text, b)
	} else {
		mode = zkMonitor(text, b)
	}
	switch {
	case strings.Contains(text, "not in the whitelist"):
		return inState(stateUnauthorised, "%.100s", strings.TrimSpace(text))
	case mode == "":
		return fmt.Errorf("mntr: want zk_server_state, have %.60q", text)
	}
	b.add(zkMode, 1, "mode", collectors.Label(mode))
	if mode == "read-only" {
		return inState(stateReadOnly, "it has no quorum and serves its old data to readers")
	}
	return nil
}

// word asks with four letters and nothing behind them: it closes with what it has not read, and its answer would be lost.
// An answer that says it does not serve is a state, and so is a connection that it closes at once: the words count among the
// connections of an address.
func (t *target) word(ctx context.Context, word string) (string, error) {
	text, err := t.ask(ctx, word)
	s, stated := errors.AsType[*statedError](err)
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe), stated && s.state == stateError:
		return "", inState(stateFull, "%s: the connection was closed without an answer: more clients of one address than maxClientCnxns", word)
	case err != nil:
		return "", err
	case strings.Contains(text, "not currently serving requests"):
		return "", inState(stateNoQuorum, "%.100s", strings.TrimSpace(text))
	}
	return text, nil
}

var zkKeys = []struct {
	key   string
	d     *metric.Desc
	times float64
	kv    []string
}{
	{"zk_synced_followers", zkSynced, 1, nil},
	{"zk_learners", zkLearners, 1, nil},
	{"zk_quorum_size", zkQuorumSize, 1, nil},
	{"zk_outstanding_requests", zkOutstanding, 1, nil},
	{"zk_num_alive_connections", zkConns, 1, nil},
	{"zk_connection_rejected", zkRejected, 1, nil},
	{"zk_znode_count", zkNodes, 1, nil},
	{"zk_watch_count", zkWatches, 1, nil},
	{"zk_ephemerals_count", zkEphemerals, 1, nil},
	{"zk_approximate_data_size", zkData, 1, nil},
	{"zk_open_file_descriptor_count", zkFiles, 1, nil},
	{"zk_max_file_descriptor_count", zkFilesLimit, 1, nil},
	{"zk_looking_count", zkElections, 1, nil},
	{"zk_sum_fsynctime", zkSyncSeconds, 1e-3, nil},
	{"zk_cnt_fsynctime", zkSyncs, 1, nil},
	{"zk_sum_readlatency", zkReqSeconds, 1e-3, []string{"op", "read"}},
	{"zk_cnt_readlatency", zkRequests, 1, []string{"op", "read"}},
	{"zk_sum_updatelatency", zkReqSeconds, 1e-3, []string{"op", "update"}},
	{"zk_cnt_updatelatency", zkRequests, 1, []string{"op", "update"}},
}

// zkMonitor reads mntr, and returns which part the server plays. Numbers are integers or not, as the version has it; -1 is not known.
func zkMonitor(text string, b *batch) (mode string) {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			values[key] = value
		}
	}
	if _, ok := values["zk_learners"]; !ok && values["zk_followers"] != "" {
		values["zk_learners"] = values["zk_followers"] // before 3.6
	}
	for _, f := range zkKeys {
		if v, err := strconv.ParseFloat(values[f.key], 64); err == nil && v >= 0 {
			b.add(f.d, v*f.times, f.kv...)
		}
	}
	if up, err := strconv.ParseFloat(values["zk_uptime"], 64); err == nil {
		b.add(zkStart, float64(b.Time.Unix())-float64(int(up/1000)))
	}
	return values["zk_server_state"]
}

// zkServer reads srvr, which says less.
func zkServer(text string, b *batch) (mode string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if key == "Mode" {
			mode = value
		}
		d := map[string]*metric.Desc{"Outstanding": zkOutstanding, "Connections": zkConns, "Node count": zkNodes}[key]
		if v, err := strconv.ParseFloat(value, 64); d != nil && err == nil {
			b.add(d, v)
		}
	}
	return mode
}

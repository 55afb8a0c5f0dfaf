package collectorstest_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/navcloud/binnacle/collectors"
	"github.com/navcloud/binnacle/collectors/catalogue"
	"github.com/navcloud/binnacle/collectors/collectorstest"
)

// gatherRiak plays scenes to an agent on every node, in faked time, and collects every 15 s. The option admin prints what
// was recorded in the folder admin, and is off where that is "".
func gatherRiak(t *testing.T, scenes []scene, admin string) (all []taken) {
	t.Helper()
	spec, ok := catalogue.Lookup("riak")
	if !ok {
		t.Fatal("no collector riak")
	}
	synctest.Test(t, func(t *testing.T) {
		s := collectorstest.NewRiakInProcess()
		playRiak(s, scenes[0].situation)
		cs := map[string]collectors.Collector{}
		for _, node := range collectorstest.RiakNodes {
			config := s.Config(node) + "unit: []\n"
			if admin != "" {
				config += "admin: [sh, -c, 'cat ../riak/testdata/riak-admin/" + admin + "/$0.txt']\n"
			}
			cs[node] = watch(t, spec, config, collectors.Env{Node: node, HTTP: s, Dial: s.Dial})
		}
		for _, sc := range scenes {
			playRiak(s, sc.situation)
			for end := time.Now().Add(sc.lasts); time.Now().Before(end); time.Sleep(15 * time.Second) {
				all = append(all, collectAll(t, cs))
			}
		}
	})
	return all
}

// playRiak goes over to a situation with faults of single nodes: "healthy riak2:frozen riak3:gone".
func playRiak(s *collectorstest.Riak, text string) {
	situation, faults, _ := strings.Cut(text, " ")
	of := map[string][]string{}
	for _, f := range strings.Fields(faults) {
		node, fault, _ := strings.Cut(f, ":")
		of[node] = append(of[node], fault)
	}
	for _, node := range collectorstest.RiakNodes {
		s.Break(node, of[node]...)
	}
	s.Play(situation)
}

// nowAndThen is a situation in which one of twelve looks is another, for so long.
func nowAndThen(situation, other string, lasts time.Duration) (out []scene) {
	for ; lasts > 0; lasts -= 3 * time.Minute {
		out = append(out, scene{situation: situation, lasts: 165 * time.Second}, scene{situation: other, lasts: 15 * time.Second})
	}
	return out
}

// TestReplayRiak plays every recorded situation: the alarms that the table asks for, and no others.
func TestReplayRiak(t *testing.T) {
	skipUnderRace(t)
	const calm = 2 * time.Minute
	quiet := 15 * time.Minute
	if os.Getenv("BINNACLE_REAL") != "" {
		quiet = time.Hour
	}
	on := func(rule string) (keys []string) {
		for _, n := range collectorstest.RiakNodes {
			keys = append(keys, rule+" node:"+n)
		}
		return keys
	}
	const changing = "RiakMembershipChanging cluster:riak"
	const stuck = "RiakVnodeStuck node:riak2" // where nobody hung it: 200 messages that it never took stand in the recordings
	begin := scene{situation: "healthy", lasts: calm}
	for name, c := range map[string]struct {
		scenes []scene
		admin  string
		want   map[string]time.Duration
		may    []string
		says   map[string]string
	}{
		"healthy for long":             {scenes: []scene{{situation: "healthy", lasts: quiet}}, admin: "healthy"},
		"one node that was never used": {scenes: []scene{{situation: "single-idle", lasts: 15 * time.Minute}}},
		"one node, leveldb":            {scenes: []scene{{situation: "leveldb", lasts: 15 * time.Minute}}},
		"one node, leveled":            {scenes: []scene{{situation: "leveled", lasts: 15 * time.Minute}}},
		"three nodes, no load":         {scenes: []scene{{situation: "idle", lasts: 8 * time.Minute}}, admin: "healthy"},
		"security is on":               {scenes: []scene{begin, {situation: collectorstest.RiakSecurity, lasts: 15 * time.Minute}}},
		"nodes join, one look of a hundred fails": {
			scenes: []scene{
				{situation: "single-idle", lasts: calm},
				{situation: "join-staged", lasts: 3 * time.Minute},
				{situation: "joining-earlier", lasts: 2 * time.Minute},
				{situation: "joining-stats-timeout", lasts: 15 * time.Second},
				{situation: "joining", lasts: 3 * time.Minute},
				{situation: "healthy", lasts: 20 * time.Minute},
			},
			want: map[string]time.Duration{changing: 0},
			may:  on("RiakRestarted"), // totals of another recording
		},
		"nodes join, told by riak admin": {
			scenes: []scene{{situation: "joining-earlier", lasts: 2 * time.Minute}, {situation: "joining", lasts: 5 * time.Minute}},
			admin:  "joining", want: map[string]time.Duration{changing: 0},
		},
		"a node leaves": {
			scenes: []scene{begin, {situation: "leaving", lasts: 30 * time.Second}, {situation: "after-leave", lasts: 20 * time.Minute}},
			want:   map[string]time.Duration{changing: 3 * time.Minute, stuck: 0},
		},
		"a node is killed and returns": {
			scenes: []scene{
				begin,
				{situation: "node-killed-earlier", lasts: time.Minute},
				{situation: "node-killed", lasts: 4 * time.Minute},
				{situation: "node-returning", lasts: 30 * time.Second},
				{situation: "node-returned", lasts: 5 * time.Minute},
				{situation: "healthy", lasts: 20 * time.Minute},
			},
			want: map[string]time.Duration{"RiakNodeDown node:riak3": 105 * time.Second, "RiakRestarted node:riak3": 0},
		},
		"siblings and large objects": {
			scenes: []scene{begin, {situation: "siblings", lasts: 8 * time.Minute}},
			want: map[string]time.Duration{
				"RiakSiblingExplosion node:riak1": 6 * time.Minute, "RiakSiblingExplosion node:riak2": 6 * time.Minute, "RiakSiblingExplosion node:riak3": 6 * time.Minute,
			},
		},
		"load ends, and only slow requests are left": {scenes: []scene{{situation: "window", lasts: 10 * time.Minute}}},
		"two vnodes hang, and go on": {
			scenes: []scene{
				begin,
				{situation: "vnode-stuck-earlier", lasts: time.Minute},
				{situation: "vnode-stuck", lasts: 3 * time.Minute},
				{situation: "vnode-resumed", lasts: 2 * time.Minute},
				{situation: "healthy", lasts: 15 * time.Minute},
			},
			want: map[string]time.Duration{"RiakVnodeStuck node:riak2": 3 * time.Minute},
			may:  append(on("RiakRequestsPilingUp"), "RiakOverload node:riak2"), // ahead of it, and with it
		},
		"a handoff is stuck, and one look of twelve fails": {
			scenes: append([]scene{{situation: "handoff-stuck", lasts: calm}}, nowAndThen("handoff-stuck", "handoff-stuck-overload", 30*time.Minute)...),
			admin:  "stuck",
			want:   map[string]time.Duration{"RiakOwnershipStuck cluster:riak": 25 * time.Minute, changing: 0, stuck: 0},
		},
		"figures fail for good": {
			scenes: []scene{begin, {situation: "stats-timeout", lasts: 10 * time.Minute}},
			want:   map[string]time.Duration{"RiakStatsFailing node:riak2": 2 * time.Minute},
		},
		"figures fail now and then": {scenes: append([]scene{begin}, nowAndThen("healthy", "stats-overload", 30*time.Minute)...)},
		"the disk fills": {
			scenes: []scene{begin, {situation: collectorstest.RiakDiskFilling, lasts: 5 * time.Minute}},
			want:   map[string]time.Duration{"RiakDiskFull node:riak1": 30 * time.Second},
		},
		"the distribution of one node is cut, and heals": {
			scenes: []scene{begin, {situation: collectorstest.RiakIsolated, lasts: 6 * time.Minute}, {situation: "healthy", lasts: 20 * time.Minute}},
			want:   map[string]time.Duration{"RiakNodeIsolated node:riak3": 105 * time.Second},
		},
		"a node freezes, and goes on": {
			scenes: []scene{begin, {situation: collectorstest.RiakFrozen, lasts: 4 * time.Minute}, {situation: "healthy", lasts: 20 * time.Minute}},
			want:   map[string]time.Duration{"RiakNodeFrozen node:riak3": time.Minute},
		},
		"two of three are down": {
			scenes: []scene{begin, {situation: collectorstest.RiakTwoDown, lasts: 4 * time.Minute}},
			want: map[string]time.Duration{
				"RiakQuorumAtRisk cluster:riak": 105 * time.Second, "RiakNodeDown node:riak2": 2 * time.Minute, "RiakNodeDown node:riak3": 2 * time.Minute,
			},
		},
		"all are down": {
			scenes: []scene{begin, {situation: collectorstest.RiakAllDown, lasts: 4 * time.Minute}},
			want: map[string]time.Duration{
				"RiakClusterDown cluster:riak": 2 * time.Minute,
				"RiakNodeDown node:riak1":      2 * time.Minute, "RiakNodeDown node:riak2": 2 * time.Minute, "RiakNodeDown node:riak3": 2 * time.Minute,
			},
		},
		"a protocol-buffer listener is gone": {
			scenes: []scene{begin, {situation: collectorstest.RiakPBDown, lasts: 4 * time.Minute}},
			want:   map[string]time.Duration{"RiakPBDown node:riak3": 2 * time.Minute},
		},
		"a node refuses requests": {
			scenes: []scene{begin, {situation: collectorstest.RiakOverloaded, lasts: 4 * time.Minute}},
			want:   map[string]time.Duration{"RiakOverload node:riak2": 2 * time.Minute},
		},
		"the disk is full": {
			scenes: []scene{begin, {situation: collectorstest.RiakDiskFull, lasts: 2 * time.Minute}},
			want:   map[string]time.Duration{"RiakDiskFull node:riak1": 30 * time.Second},
		},
		"all freeze": { // each takes connections
			scenes: []scene{begin, {situation: "healthy riak1:frozen riak2:frozen riak3:frozen", lasts: 4 * time.Minute}},
			want: map[string]time.Duration{
				"RiakClusterDown cluster:riak": 105 * time.Second, "RiakNodeFrozen node:riak1": time.Minute, "RiakNodeFrozen node:riak2": time.Minute, "RiakNodeFrozen node:riak3": time.Minute,
			},
			says: map[string]string{"RiakClusterDown cluster:riak": "riak1 frozen, riak2 frozen, riak3 frozen"},
		},
		"two of one zone are killed": { // the third one sees nobody, and is not away
			scenes: []scene{begin, {situation: "healthy riak1:gone riak2:gone", lasts: 4 * time.Minute}},
			want: map[string]time.Duration{
				"RiakQuorumAtRisk cluster:riak": 75 * time.Second, "RiakNodeDown node:riak1": 2 * time.Minute, "RiakNodeDown node:riak2": 2 * time.Minute,
			},
			says: map[string]string{"RiakQuorumAtRisk cluster:riak": "Riak riak lacks a quorum for some keys, 2 away: riak1 down, riak2 down"},
		},
		"one freezes, another one is isolated": {
			scenes: []scene{begin, {situation: "healthy riak3:frozen", lasts: 2 * time.Minute}, {situation: "healthy riak2:isolated riak3:frozen", lasts: 4 * time.Minute}},
			want:   map[string]time.Duration{"RiakNodeFrozen node:riak3": time.Minute, "RiakQuorumAtRisk cluster:riak": 195 * time.Second, "RiakNodeIsolated node:riak2": 0},
			says:   map[string]string{"RiakQuorumAtRisk cluster:riak": "riak2 isolated, riak3 frozen"},
		},
		"one is isolated, then killed": {
			scenes: []scene{begin, {situation: "healthy riak3:isolated", lasts: 3 * time.Minute}, {situation: "healthy riak3:gone", lasts: 3 * time.Minute}},
			want:   map[string]time.Duration{"RiakNodeIsolated node:riak3": 105 * time.Second, "RiakNodeDown node:riak3": 0},
		},
		"secured while one is down": {
			scenes: []scene{begin, {situation: "healthy riak3:gone", lasts: 2 * time.Minute}, {situation: "security riak3:gone", lasts: 5 * time.Minute}},
			want:   map[string]time.Duration{"RiakNodeDown node:riak3": 105 * time.Second},
		},
		"figures hang on one, another one dies": {
			scenes: []scene{begin, {situation: "healthy riak1:stats-hang", lasts: 3 * time.Minute}, {situation: "healthy riak1:stats-hang riak3:gone", lasts: 4 * time.Minute}},
			want:   map[string]time.Duration{"RiakStatsFailing node:riak1": 2 * time.Minute, "RiakNodeDown node:riak3": 285 * time.Second},
		},
		"the disk of one is full, and partitions move": {
			scenes: []scene{begin, {situation: "healthy riak1:disk-full", lasts: 3 * time.Minute}, {situation: "joining riak1:disk-full", lasts: 4 * time.Minute}},
			want:   map[string]time.Duration{"RiakDiskFull node:riak1": 30 * time.Second, changing: 0},
			may:    append(on("RiakRestarted"), stuck), // totals of another recording
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, judge(t, "riak", gatherRiak(t, c.scenes, c.admin)), calm, c.want, c.may, c.says)
		})
	}
}

package riak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of riak admin: each call starts a virtual machine, 0.4 to 10 s and 0.7 s of processor time (3.2.3, measured
// November 2026). vnode-status visits every key file besides.
const (
	adminDeadline = 60 * time.Second
	keydirEvery   = 15 * time.Minute
	adminMaxBytes = 4 << 20
)

// admin runs one command of riak admin. The status of exit is 0 even where it could not do it: the last line, ok
// or error, is what tells.
func (r *collector) admin(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, adminDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.opt.Admin[0], append(slices.Clone(r.opt.Admin[1:]), command)...)
	cmd.WaitDelay = time.Second // its children may hold the pipe
	var out limitedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %.200s", strings.Join(r.opt.Admin, " "), command, err, bytes.TrimSpace(out.kept.Bytes()))
	}
	text := out.kept.String()
	if out.full {
		return "", fmt.Errorf("%s %s: more than %d bytes", strings.Join(r.opt.Admin, " "), command, adminMaxBytes)
	}
	if last := text[strings.LastIndexByte(strings.TrimRight(text, "\n"), '\n')+1:]; strings.TrimSpace(last) == "error" {
		return "", fmt.Errorf("%s %s: %.200s", strings.Join(r.opt.Admin, " "), command, strings.TrimSpace(text))
	}
	return text, nil
}

// limitedBuffer keeps the first adminMaxBytes.
type limitedBuffer struct {
	kept bytes.Buffer
	full bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	keep := min(len(p), adminMaxBytes-b.kept.Len())
	b.full = b.full || keep < len(p)
	_, _ = b.kept.Write(p[:keep])
	return len(p), nil
}

// clusterView is what three commands tell of the cluster.
type clusterView struct {
	members     []member
	ringReady   bool
	pending     int // partitions on their way to another owner
	unreachable int
	waiting     map[string]float64 // partitions that a member has for others, by member
	active      map[string]float64 // transfers under way, by type
	objects     map[string]float64 // moved so far by those that tell, by type
}

type member struct {
	name, status string
	pending      float64 // its share of the ring to come; -1: nothing is to change
}

var errAdmin = errors.New("its answer is not the one of 3.2.3 that is understood")

// askAdmin asks for members, ring and transfers, one after the other.
func (r *collector) askAdmin(ctx context.Context) (func(output), error) {
	var text [3]string
	for i, command := range []string{"member-status", "ring-status", "transfers"} {
		var err error
		if text[i], err = r.admin(ctx, command); err != nil {
			return nil, err
		}
	}
	c, err := parseAdmin(text[0], text[1], text[2])
	if err != nil {
		return nil, fmt.Errorf("riak admin: %w", err)
	}
	return func(o output) {
		r.node.statuses = map[string]string{} // mu is held
		for _, m := range c.members {
			r.node.statuses[m.name] = m.status
		}
		c.tell(o)
	}, nil
}

// memberStatuses are all that riak admin knows. What a member is not is told as 0, so that no old status lingers.
var memberStatuses = []string{"valid", "joining", "leaving", "exiting", "down"}

func (c clusterView) tell(o output) {
	for _, m := range c.members {
		for _, status := range memberStatuses {
			o.b.Bool(descMemberStatus, m.status == status, "cluster", o.cluster, "member", m.name, "status", status)
		}
		if m.pending >= 0 {
			o.add(descMemberPending, m.pending, "member", m.name)
		}
		o.add(descWaiting, c.waiting[m.name], "member", m.name)
	}
	o.bool(descRingReady, c.ringReady)
	o.add(descPendingOwners, float64(c.pending))
	o.add(descUnreachable, float64(c.unreachable))
	for _, typ := range transferTypes {
		o.add(descActive, c.active[typ], "type", typ)
		o.add(descMoved, c.objects[typ], "type", typ)
	}
}

var transferTypes = []string{"ownership", "hinted", "resize", "repair"}

// What the commands print, as recorded from 3.2.3 (November 2026).
var (
	memberLine  = regexp.MustCompile(`(?m)^(valid|leaving|exiting|joining|down)\s+([\d.]+)%\s+(--|[\d.]+%)\s+(\S+)$`)
	readyLine   = regexp.MustCompile(`(?m)^Ring Ready:\s+(true|false)$`)
	waitingLine = regexp.MustCompile(`(?m)^'?([^'\s]+)'? waiting to handoff (\d+) partitions$`)
	typeLine    = regexp.MustCompile(`(?m)^transfer type: (\w+)$`)
	movedLine   = regexp.MustCompile(`(?m)^objects transferred: (\d+)$`)
)

func parseAdmin(members, ring, transfers string) (clusterView, error) {
	c := clusterView{waiting: map[string]float64{}, active: map[string]float64{}, objects: map[string]float64{}}
	for _, m := range memberLine.FindAllStringSubmatch(members, maxMembers) {
		pending := -1.0
		if share, ok := strings.CutSuffix(m[3], "%"); ok {
			v, err := strconv.ParseFloat(share, 64)
			if err != nil {
				return c, fmt.Errorf("member-status: %q: %w", m[0], err)
			}
			pending = v / 100
		}
		c.members = append(c.members, member{m[4], m[1], pending})
	}
	if len(c.members) == 0 {
		return c, fmt.Errorf("member-status: no member: %w", errAdmin)
	}
	ready := readyLine.FindStringSubmatch(ring)
	if ready == nil {
		return c, fmt.Errorf("ring-status: no line Ring Ready: %w", errAdmin)
	}
	c.ringReady = ready[1] == "true"
	c.pending = strings.Count(ring, "\nIndex: ")
	if _, list, ok := strings.Cut(ring, "The following nodes are unreachable: ["); ok {
		list, _, _ = strings.Cut(list, "]")
		c.unreachable = strings.Count(list, ",") + 1
	}
	if !strings.Contains(transfers, "Active Transfers:") {
		return c, fmt.Errorf("transfers: no line Active Transfers: %w", errAdmin)
	}
	for _, m := range waitingLine.FindAllStringSubmatch(transfers, maxMembers) {
		c.waiting[m[1]], _ = strconv.ParseFloat(m[2], 64) // digits alone
	}
	for _, one := range strings.Split(transfers, "\ntransfer type: ")[1:] {
		typ := typeLine.FindStringSubmatch("transfer type: " + one)
		if typ == nil {
			continue
		}
		c.active[typ[1]]++
		if moved := movedLine.FindStringSubmatch(one); moved != nil {
			v, _ := strconv.ParseFloat(moved[1], 64)
			c.objects[typ[1]] += v
		}
	}
	return c, nil
}

// askKeydir sums keys and key files over the partitions of bitcask.
func (r *collector) askKeydir(ctx context.Context) (func(output), error) {
	text, err := r.admin(ctx, "vnode-status")
	if err != nil {
		return nil, err
	}
	if !strings.Contains(text, "riak_kv_bitcask_backend") {
		return func(output) {}, nil // another backend keeps no keys in memory
	}
	keys, dead, data := parseKeydir(text)
	return func(o output) {
		o.add(descKeys, keys)
		o.add(descDeadBytes, dead)
		o.add(descDataBytes, data)
	}, nil
}

// A file of bitcask: name, fragmentation in percent, dead bytes, bytes.
var (
	keyCount    = regexp.MustCompile(`\{key_count,\s*(\d+)\}`)
	bitcaskFile = regexp.MustCompile(`\{"[^"]*",\s*\d+,\s*(\d+),\s*(\d+)\}`)
)

func parseKeydir(text string) (keys, dead, data float64) {
	for _, m := range keyCount.FindAllStringSubmatch(text, -1) {
		v, _ := strconv.ParseFloat(m[1], 64)
		keys += v
	}
	for _, m := range bitcaskFile.FindAllStringSubmatch(text, -1) {
		d, _ := strconv.ParseFloat(m[1], 64)
		all, _ := strconv.ParseFloat(m[2], 64)
		dead, data = dead+d, data+all
	}
	return keys, dead, data
}

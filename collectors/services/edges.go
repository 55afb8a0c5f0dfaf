package services

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/navcloud/binnacle/agent/metric"
	"github.com/navcloud/binnacle/collectors"
)

// Where servers are and what they need: the router makes the edges of its graph of these. Both are said on while a server is
// down, from what it last said: an outage does not change who needs whom.
var (
	listens = &metric.Desc{Name: "service_listens", Help: "1 for an address that a server answers at; without a host it is a port of its node. part is what of it answers there, such as a frontend"}
	needs   = &metric.Desc{Name: "service_needs", Help: "1 for what a server, or a part of it (replication, a backend, a server of that), needs: whoever answers at address, or the part on"}
)

// edge is one of these. Listens is without on.
type edge struct{ part, address, on string }

// edges are what a server last said.
type edges struct{ listens, needs []edge }

// maxEdges bounds those of one server.
const maxEdges = 2000

// tell appends a target's edges, with the address that it is asked at.
func (e edges) tell(t *target, system string, b *batch) {
	all := e.listens
	if t.network == "tcp" {
		all = append([]edge{{address: t.place()}}, all...)
	}
	said := map[edge]bool{}
	for _, l := range all {
		if l.address != "" && !said[l] && len(said) < maxEdges {
			said[l] = true
			b.add(listens, 1, "system", system, "part", l.part, "address", l.address)
		}
	}
	clear(said)
	for _, n := range e.needs {
		if !said[n] && len(said) < maxEdges {
			said[n] = true
			b.add(needs, 1, "system", system, "part", n.part, "address", n.address, "on", n.on)
		}
	}
}

// place is where a target is asked at: on this machine by its port alone, which others know by other addresses.
func (t *target) place() string {
	_, port, err := net.SplitHostPort(t.address)
	if err != nil || !t.near() {
		return t.address
	}
	return ":" + port
}

// port is the address of a port of this node; empty where there is none. Elsewhere only the address that was asked is known.
func (t *target) port(text string) []edge {
	if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 65535 || !t.near() {
		return nil
	}
	return []edge{{address: ":" + text}}
}

// haproxyServers reads "show servers state": where the servers of backends are.
// Source: HAProxy 2.6 management guide, "show servers state", read 30 November 2026.
func haproxyServers(text string) (out []edge) {
	column := map[string]int{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) > 5 && fields[0] == "#" {
			for i, name := range fields[1:] {
				column[name] = i
			}
			continue
		}
		at := func(name string) string {
			if i, ok := column[name]; ok && i < len(fields) {
				return fields[i]
			}
			return "-"
		}
		host, port := at("srv_addr"), at("srv_port")
		if fqdn := at("srv_fqdn"); fqdn != "-" {
			host = fqdn
		}
		if host == "-" || port == "-" || port == "0" {
			continue
		}
		proxy := "backend:" + collectors.Label(at("be_name"))
		server := proxy + "/" + collectors.Label(at("srv_name"))
		out = append(out, edge{part: server, address: net.JoinHostPort(host, port)}, edge{part: proxy, on: server})
	}
	return out
}

// haproxyFiles are the files that a process of this machine was started with, by its command line. Those of a folder are read in
// the order of their names, as it reads them.
func (t *target) haproxyFiles(pid string) (out []string) {
	if _, err := strconv.Atoi(pid); err != nil || !t.near() {
		return nil
	}
	line, err := t.env.Root.Read("proc/" + pid + "/cmdline")
	if err != nil {
		return nil
	}
	args := strings.Split(line, "\x00")
	for i, arg := range args {
		if arg != "-f" || i+1 == len(args) || !filepath.IsAbs(args[i+1]) {
			continue
		}
		if inside := t.env.Root.Glob(filepath.Join(args[i+1], "*.cfg")[1:]); len(inside) > 0 {
			out = append(out, inside...)
		} else {
			out = append(out, args[i+1])
		}
	}
	return out
}

// haproxyFronts reads a configuration for what no statistics say: where frontends listen, and which backends they ask.
// Source: HAProxy 2.6 configuration manual, sections 2 and 4, read 30 November 2026.
func haproxyFronts(text string) (e edges) {
	front := ""
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "global", "defaults", "backend", "peers", "resolvers", "userlist", "mailers", "program", "cache", "ring":
			front = ""
		case "frontend", "listen":
			front = "frontend:" + collectors.Label(words[1])
			if words[0] == "listen" {
				e.needs = append(e.needs, edge{part: front, on: "backend:" + collectors.Label(words[1])})
			}
		case "bind":
			if front != "" {
				e.listens = append(e.listens, haproxyBinds(front, words[1])...)
			}
		case "default_backend", "use_backend":
			if front != "" && !strings.ContainsAny(words[1], "%[") { // a name that is made of the request is known to nobody
				e.needs = append(e.needs, edge{part: front, on: "backend:" + collectors.Label(words[1])})
			}
		}
	}
	return e
}

func haproxyBinds(front, list string) (out []edge) {
	for _, address := range strings.Split(list, ",") {
		for _, family := range []string{"ipv4@", "ipv6@", "quic4@", "quic6@"} {
			address = strings.TrimPrefix(address, family)
		}
		i := strings.LastIndexByte(address, ':')
		if i < 0 || strings.HasPrefix(address, "/") || strings.Contains(address, "@") {
			continue // a socket of unix, or of a file descriptor
		}
		host, port := strings.Trim(address[:i], "[]"), address[i+1:]
		if _, err := strconv.Atoi(port); err != nil {
			continue // a range, or a variable
		}
		switch host {
		case "", "*", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1":
			host = ""
		}
		at := ":" + port
		if host != "" {
			at = net.JoinHostPort(host, port)
		}
		out = append(out, edge{part: front, address: at})
	}
	return out
}

// haproxyEdges asks a balancer for its servers, and reads its configuration where it is on this machine. What cannot be read is
// kept as it was.
func (t *target) haproxyEdges(pid, servers string) {
	e := edges{needs: haproxyServers(servers)}
	for _, file := range t.haproxyFiles(pid) {
		text, err := t.env.Root.Read(strings.TrimPrefix(file, "/"))
		if err != nil {
			continue
		}
		fronts := haproxyFronts(text)
		e.listens, e.needs = append(e.listens, fronts.listens...), append(e.needs, fronts.needs...)
	}
	if len(e.needs) == 0 {
		return
	}
	e.needs = slices.Clip(e.needs)
	t.edges = e
}

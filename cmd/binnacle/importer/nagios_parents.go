package importer

import (
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/alerting/topology"
)

// topologyFile is the name of the file of what stands behind what.
const topologyFile = "topology.yaml"

// parents make a topology of hosts that stand behind others, so that a dead switch explains them. Nagios calls a host unreachable when
// all its parents are down.
func (w *nagiosWorld) parents(hosts map[string]map[string]string) {
	entities := map[string]any{}
	for _, name := range sorted(hosts) {
		of := commas(hosts[name]["parents"])
		of = slices.DeleteFunc(of, func(p string) bool {
			_, ok := hosts[p]
			if !ok {
				w.Result.report(w.main, "host %s: parents: %s is not defined", name, p)
			}
			return !ok
		})
		if len(of) == 0 {
			continue
		}
		e := map[string]any{"kind": topology.KindHost}
		var ids []string
		for _, p := range of {
			id := topology.KindHost + ":" + p
			ids = append(ids, id)
			if entities[id] == nil {
				entities[id] = map[string]any{"kind": topology.KindHost}
			}
		}
		if e["parents"] = ids; len(ids) > 1 {
			e["spare"] = len(ids) - 1
		}
		entities[topology.KindHost+":"+name] = e
	}
	if len(entities) == 0 {
		return
	}
	text, err := yaml.Marshal(map[string]any{"add": true, "entities": entities})
	if err != nil {
		w.Result.report(w.main, "parents: left out: %v", err)
		return
	}
	w.Topology = text
	put(w.Config, filepath.Join(w.Result.folder, topologyFile), "route", "topology")
}

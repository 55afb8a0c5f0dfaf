package views

import (
	"slices"
	"strings"

	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
)

// nodeMap is the fleet at a glance: the worst by name, and a cell for each node, zone by zone.
type nodeMap struct {
	All   []health.Node
	Worst []health.Node // that are not well
	More  int           // not well, and not among them
	Zones []nodeZone
}

type nodeZone struct {
	Name  string
	Nodes []health.Node
}

// mapOf arranges nodes, which come with the worst first.
func mapOf(nodes []health.Node, worst int) nodeMap {
	m := nodeMap{All: nodes}
	for _, n := range nodes {
		if n.Word() == health.Well {
			break
		}
		m.More++
	}
	m.Worst = nodes[:min(m.More, worst)]
	m.More -= len(m.Worst)
	by := map[string]int{}
	for _, n := range nodes {
		i, ok := by[n.AZ]
		if !ok {
			i = len(m.Zones)
			by[n.AZ] = i
			m.Zones = append(m.Zones, nodeZone{Name: n.AZ})
		}
		m.Zones[i].Nodes = append(m.Zones[i].Nodes, n)
	}
	slices.SortFunc(m.Zones, func(a, b nodeZone) int { return strings.Compare(a.Name, b.Name) })
	for _, z := range m.Zones {
		slices.SortFunc(z.Nodes, func(a, b health.Node) int { return strings.Compare(a.Node, b.Node) })
	}
	return m
}

// fewNodes are so many that their names fit.
const fewNodes = 24

// Named says whether the nodes are few enough to be named.
func (m nodeMap) Named() bool { return len(m.All) <= fewNodes }

// Ill is how many are not well.
func (m nodeMap) Ill() int { return len(m.Worst) + m.More }

// Says counts the nodes and how they are.
func (m nodeMap) Says() string {
	bad := m.Ill()
	zones := ""
	if len(m.Zones) > 1 {
		zones = " in " + words.Plural(len(m.Zones), "zone")
	}
	switch {
	case len(m.All) == 0:
		return ""
	case bad == 0:
		return words.Plural(len(m.All), "node") + zones + ", all reporting"
	}
	return words.Plural(len(m.All), "node") + zones + ", " + inWords(bad) + " not well"
}

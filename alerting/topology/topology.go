// Package topology is the dependency graph of the entities that alarms sit on: who can explain whom.
//
// It holds the graph and answers questions about it; it knows no alarms and no rules, and it reads
// no entity's kind out of its name. A Graph is immutable and may be used by many goroutines.
package topology

// Entity is one vertex. Parents are what it needs in order to work, so that an alarm on a parent
// explains alarms on its children.
type Entity struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"` // az, link, host, node, cluster, elb, service
	Service string   `json:"service,omitempty"`
	Cluster string   `json:"cluster,omitempty"`
	AZ      string   `json:"az,omitempty"`
	Host    string   `json:"host,omitempty"`
	Group   string   `json:"group,omitempty"` // what replaces it when it is gone; empty where nothing does
	Parents []string `json:"parents,omitempty"`
	// Spare says how many of the parents of one kind may be lost before this entity is hurt.
	Spare int `json:"spare,omitempty"`
}

// Graph is a set of entities and what each needs.
type Graph struct {
	entities map[string]Entity
}

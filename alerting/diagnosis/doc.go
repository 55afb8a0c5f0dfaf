// Package diagnosis turns alarms and the dependency graph into problems: root causes with the alarms that they explain. It is
// a chain of functions on values (Diagnose) and has no memory; what it needs of the past is in the Facts.
//
//	standing      what is lost, and what of that could be spared                            standing.go
//	group alarms  one alarm for many of the same kind in one zone, on one whole, of one owner  groups.go
//	priority      by a table with its reason; and how good a cause each alarm makes          priority.go, law.go
//	explanation   each alarm is explained by the best cause that may                          explain.go
//	problems      the roots with what they explain, the worst first                           problems.go
//
// # The law
//
// An alarm is explained by another one only if that makes a better cause (ranks), began in time and is not silenced (timely),
// and an edge of the graph is firm enough (edges). It never takes time alone: what begins together has nothing to do with each
// other until an edge says so. The first half of the law is the table of ranks and the second half the table of edges, both in
// law.go. Nothing else decides who explains whom.
package diagnosis

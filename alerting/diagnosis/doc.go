// Package diagnosis turns alarms and the dependency graph into problems: root causes with the alarms that they explain. It is
// a chain of functions on values (Diagnose) and has no memory that an answer hangs on; what it needs of the past is in the Facts.
// What hangs on a Fact and the graph alone is found once and kept while the Fact is the same (judged.go): that makes a step of many
// alarms cheap and changes no answer.
//
//	standing       what is lost, and what of that could be spared                               standing.go
//	priority       by a table with its reason; and how good a cause each alarm makes            priority.go, law.go, judged.go
//	folding        which alarms of others are parts of one thing, by what they say of themselves  fold.go, together.go
//	group alarms   one alarm for many of the same kind in one zone, on one whole, of one owner  groupalarm.go, common.go
//	explanation    each alarm is explained by the best cause that may                           explain.go
//	problems       the roots with what they explain, the worst first                            problems.go
//
// Beside these, bearing.go and spot.go find the causes that can bear on a subject without asking all of them, and texts.go has every
// sentence that says why.
//
// Two things bring alarms together. Where the graph has a place for a subject, the law decides. Of the alarms of others the
// graph often knows nothing: those are folded together by what they read.
//
// # The law
//
// An alarm is explained by another one only if that makes a better cause (ranks), began in time and is not silenced (timely),
// and an edge of the graph is firm enough (edges). It never takes time alone: what begins together has nothing to do with each
// other until an edge says so. The first half of the law is the table of ranks and the second half the table of edges, both in
// law.go. Where the graph has a place for both subjects nothing else decides who explains whom.
//
// # Folding
//
// An alarm of others (candidate.go) joins a group of alarms (group.go) once, when it begins (relate.go), and stays; or a group that
// nobody was paged for follows another one as a whole (follow.go). What may bring it there, the firmest
// first: both name one thing no wider than a host or a workload, or their rules say the same of the same hosts (named); the graph
// ties them (declared); it is one rule in one place (ruled); both began within five minutes in one place, and by their readings one
// can follow from the other (a guess).
// The best cause of the group is the root of its problem, and explains the others.
//
// A group never hides what is worse than what people know of it (graver). What a guess holds back is notified a quarter of an
// hour later if it still fires, and everything else soon after all that the page names has ended (release).
package diagnosis

// Package alerting has the words of alerting: every type that crosses the packages below it. It decides nothing.
//
// # The pipeline
//
// An alarm is a rule's condition that fires on a subject. Alarms come from our own rules and from the systems of others; what
// wakes a person is a page. Between the two stands one pure function,
//
//	Router.Step(now, inputs) -> actions, when to be asked again
//
// which reads no clock, does no I/O and starts no goroutine (package router). It goes through these stages, in this order:
//
//	inputs     what senders, people and the pager said: Firing, Ended, Heard, Acked, Closed, Silenced, Topology, Result
//	memory     what the router remembers of alarms, silences and senders; from it a Fact for each alarm
//	reading    what an alarm says whose rule knows nothing of ordering (package reading)
//	diagnosis  facts and graph in, problems out (package diagnosis): standing, priority, group alarms, explanation, problems
//	incidents  problems in, actions out: what must be notified now, and what waits for what (package incidents)
//
// A Fact is a value: a stage changes none, and what changes is a new Fact. Diagnosis has no memory; what it needs of earlier
// steps is in the Fact (Past). Because it is a function of values, every question "why" and "why not" is answered by asking it
// again about two alarms, without a record of what it did not do.
//
// # The contract with the loop
//
// Package dispatch is the loop around the router. Step is called by one goroutine at a time. Inputs may be repeated; where time
// runs backwards, waits go on by what passes. An Action is carried out after its Record was written with Pending set, and is
// answered by one Result; an answer that never comes is Unknown. At most one Action for each route is unanswered. After a restart
// the Records come back through Restore. View returns what the router thinks since its last Step and shares nothing with it;
// View.Check looks for what must never be.
//
// # One incident
//
// 03:00:00 Packet loss begins between zone A and the others. PacketLoss fires on zone-a. The table of priorities says P2: nothing
// stands in for a zone, no user is affected. It ranks first among causes and waits 20 s (wait.cause_alone) for what it is part of.
//
// 03:00:12 Errors fires on twelve front nodes of that zone: one of many each, P4. Each is tied to the zone by an edge (node in
// zone), began after it, and is explained. The board shows one problem with 13 alarms.
//
// 03:00:20 The wait is over. The problem is the worst of its route: its incident opens (sending), the record is written, the
// page goes out, the pager accepts it (open). Ann acknowledges it at 03:01.
//
// 03:02:10 Six store nodes of zone B die, and QuorumLost fires on the store. Zone A is tied to the store, since it has nodes
// there; but what is down is not within its reach, and more of it than the store can spare: refused. QuorumLost explains the six
// and is a second problem, P1. It waits behind nothing and pages 20 s later, although Ann has an incident open.
//
// 03:05 Users notice: StreamErrors, P1. It needs the store without which it cannot do; that explains it. The second incident says
// so in its title, at once and without another page: nobody has acknowledged it yet.
//
// 03:06 Bob silences the second problem for an hour, to work in peace. The silence covers what the problem explains now. The
// incident is acknowledged at the pager, "silenced by Bob until 04:06", and stays open.
//
// 03:40 The store is whole again. Its alarms end; the incident is recovering, and resolved a quiet minute later.
//
// # Words
//
//	alarm        a rule's condition on a subject, which asks for a response; firing or resolved
//	subject      what the alarm is about: a host, pod, queue, cluster, zone, service (label entity)
//	group alarm  one alarm that stands for many of the same kind
//	problem      a root cause with the alarms it explains
//	incident     what was opened at the pager for a problem
//	root cause   an alarm that no other explains; symptom: users notice it
//	to refuse    to say why one alarm does not explain another (Refusal)
//	serious      makes its problem what it is: the root, symptoms, other causes; not what merely follows
//	lost contact an alarm whose sender stopped sending
package alerting

// Package alerting has the words of alerting: every type that crosses the packages below it. It decides nothing.
//
// # The pipeline
//
// An alarm is a rule's condition that fires on a subject. Alarms come from our own rules and from the systems of others;
// what wakes a person is a page. Between the two stands one pure function,
//
//	Router.Step(now, inputs) -> actions, when to be asked again
//
// which reads no clock, does no I/O and starts no goroutine (package router). It goes through these stages, in this order:
//
//	inputs     what senders, people and the pager said: Firing, Ended, Acked, Closed, Silenced, Topology, Result
//	memory     what the router remembers of alarms, silences and incidents; from it a Fact for each alarm
//	diagnosis  facts and graph in, problems out, with every refusal and its reason (package diagnosis):
//	           standing, group alarms, priority, explanation, problems
//	incidents  problems in, actions out: who must be told what now, and what waits for what (package incidents)
//
// Package dispatch is the loop around it: it makes each Action durable before the call to the pager, and feeds the answer
// back as a Result. At most one Action for each route is unanswered at any time. A restart gives the Records back.
//
// # The contract with the loop
//
// Step is called by one goroutine at a time. Inputs may be repeated; time must not run backwards. An Action is carried out
// after its Record was written with Pending set, and answered by one Result; an answer that never comes is Unknown.
// View returns what the router thinks since its last Step and shares nothing with it.
package alerting

// Package incidents is the life of an incident: problems come in, and notifications go out, the worst first.
//
// It keeps what was notified (Desk), decides what a problem waits for (waiting.go), in which order things go out (order.go) and
// what a page says (page.go). It knows no pager, reads no clock and does no I/O; it changes nothing in the problems that it is
// given.
package incidents

package services

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// statedError is an answer that says in which state a server is. A server of such a state answers, whatever else.
type statedError struct {
	state string
	err   error
	there bool // it is the system that was looked for, though its door is not open
}

func (e *statedError) Error() string { return e.err.Error() }
func (e *statedError) Unwrap() error { return e.err }

// inState says that a server answered with a state.
func inState(state, format string, args ...any) error {
	return &statedError{state: state, err: fmt.Errorf(format, args...)}
}

// notOpened says that a server is of the system that was looked for, and that what it says of itself is not switched on.
func notOpened(format string, args ...any) error {
	return &statedError{state: stateError, err: fmt.Errorf(format, args...), there: true}
}

// closed says whether a look that ended in a state found the system, which wants credentials or a setting of its own.
func closed(err error, state string) bool {
	s, stated := errors.AsType[*statedError](err)
	return state == stateUnauthorised || stated && s.there
}

// verdict is the state of a server by how a look at it ended, and how it could not be reached.
func (t *target) verdict(err error) (state, how string) {
	var s *statedError
	var op *net.OpError
	var timeout net.Error
	dialing := errors.As(err, &op) && op.Op == "dial"
	gone := stateDown
	if !t.seen {
		gone = stateAbsent
	}
	switch {
	case err == nil:
		return stateOK, ""
	case errors.As(err, &s):
		return s.state, ""
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return gone, "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return gone, "unreachable"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return stateUnauthorised, ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout(),
		errors.Is(err, syscall.EAGAIN):
		if dialing && !t.near() {
			return gone, "timeout" // a host or a network that is gone; on this machine the backlog is full
		}
		return stateFrozen, "silent"
	}
	return stateError, ""
}

// noTLS says what an operator can do about a handshake that failed. A server that never answered and says nothing now may speak
// no TLS at that port: many wait for the rest of what they take for a command.
func (t *target) noTLS(err error) error {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	state, _ := t.verdict(err)
	switch {
	case unknown:
		return inState(stateError, "%w: name its authority by ca_file", err)
	case plain, state == stateFrozen && !t.known && !t.secured:
		return inState(stateError, "no answer in TLS, which its URL or ca_file asks for: %w", err)
	}
	return err
}

// Package sinks delivers samples to other systems: one file for each destination, and in front of
// each a queue that retries, counts what it loses, and never blocks who feeds it.
//
// It does not collect, and it does not judge.
package sinks

import (
	"context"
	"errors"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// Sink writes samples to one destination. Samples keep their own time. Write may be repeated with
// the same samples; it returns when they are delivered, refused, or ctx ends. Calls do not overlap.
// An error is temporary unless Permanent or Partial says otherwise.
type Sink interface {
	Write(ctx context.Context, samples []metric.Sample) error
}

// ErrPermanent is in the chain of an error that repeating will not cure.
var ErrPermanent = errors.New("permanent")

type permanentError struct{ error }

func (permanentError) Is(target error) bool { return target == ErrPermanent }
func (e permanentError) Unwrap() error      { return e.error }

// Permanent marks err as one that repeating the same write will not cure.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

// IsPermanent says whether err was marked by Permanent.
func IsPermanent(err error) bool { return errors.Is(err, ErrPermanent) }

// ErrTooLarge is in the chain of an error that says that a write was too large, and that a smaller one may pass.
var ErrTooLarge = errors.New("too large")

type tooLargeError struct{ error }

func (tooLargeError) Is(target error) bool { return target == ErrTooLarge }
func (e tooLargeError) Unwrap() error      { return e.error }

// PartialError says that the first Written samples were delivered and the one after them was not.
type PartialError struct {
	Written int
	Err     error
}

func (e *PartialError) Error() string { return e.Err.Error() }
func (e *PartialError) Unwrap() error { return e.Err }

// Partial says that the first n samples of a write were delivered before err.
func Partial(n int, err error) error { return &PartialError{n, err} }

// RetryAfterError carries the destination's own word on when to try again.
type RetryAfterError struct {
	After time.Duration
	Err   error
}

func (e *RetryAfterError) Error() string { return e.Err.Error() }
func (e *RetryAfterError) Unwrap() error { return e.Err }

// RejectedError says that a write was taken but for N samples, which no repetition would bring through.
type RejectedError struct {
	N   int
	Err error
}

func (e *RejectedError) Error() string { return e.Err.Error() }
func (e *RejectedError) Unwrap() error { return e.Err }

package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Compare and swap over a store that has none.
//
// Riak takes every write and keeps siblings of those that did not know of each other, so that a writer who checks and then
// writes may be one of several, all acknowledged, of whom readers choose one. A writer here first proposes, then looks, then
// commits:
//
//  1. It reads the document at a quorum of its primary replicas (pr) and checks what its caller wants of it.
//  2. It adds a proposal to the document, at a quorum of the primaries (pw). Readers pass proposals over.
//  3. It reads again. Alone, it commits: it writes the new record. A commit of another sends it back to 1. Beside another
//     proposal the one with the greater ID takes its own back and goes to 1; the one with the lesser waits and looks again.
//
// Of two writers of one version one sees the other: each has written before it reads, and two quorums share a replica, so the
// one whose write ended later reads the other's. One that saw nobody commits; one that saw it does not. The quorums are of
// primaries, so on the lesser side of a cut, and while two of three replicas are away, writing fails with 503 and nothing is
// lost. A proposal whose writer died is passed over after proposalDies; its writer commits within commitWithin or not at all.
type proposal struct {
	ID      string `json:"id"`
	Version uint64 `json:"version"` // that it would make
	At      int64  `json:"at"`      // nanoseconds since 1970
}

// document is a value in Riak: the record that counts, and who wants to write the next.
type document struct {
	record
	Proposals []proposal `json:"proposals,omitempty"`
	Withdrawn []string   `json:"withdrawn,omitempty"` // IDs of proposals for that version, taken back: who wrote beside that would bring them back
}

const (
	commitWithin = 4 * time.Second  // of the proposal, by the clock of its writer
	proposalDies = 30 * time.Second // clocks may differ, and requests be late, by the difference
	swapPause    = 10 * time.Millisecond
	maxPause     = 160 * time.Millisecond
)

// fork is a document as read: its siblings as one.
type fork struct {
	document
	token string // the causal context of all siblings
}

func (s *riakStore) get(ctx context.Context, k key) (record, error) {
	f, err := s.read(ctx, k, "")
	return f.record, err
}

// read reads a document and makes one of its siblings: the newest record, and all proposals for the version after it.
func (s *riakStore) read(ctx context.Context, k key, query string) (fork, error) {
	a, err := s.do(ctx, http.MethodGet, path(k)+query, "", nil)
	if err != nil {
		return fork{}, err
	}
	f := fork{token: a.header.Get("X-Riak-Vclock")}
	switch a.code {
	case http.StatusOK:
		if err := json.Unmarshal(a.body, &f.document); err != nil {
			return fork{}, fmt.Errorf("riak: %s/%s: %w", k.kind, k.path(), err)
		}
	case http.StatusMultipleChoices:
		if f.document, err = resolve(a.header.Get("Content-Type"), bytes.NewReader(a.body)); err != nil {
			return fork{}, err
		}
	case http.StatusNotFound: // a tombstone of Riak's own has a clock too
	default:
		line, _, _ := strings.Cut(strings.TrimSpace(string(a.body[:min(len(a.body), 512)])), "\n")
		return fork{}, &riakError{"get", a.code, line}
	}
	return f, nil
}

// resolve reads siblings: the newest record counts, and every proposal for the version after it.
func resolve(contentType string, body io.Reader) (document, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return document{}, fmt.Errorf("riak: siblings as %q, want multipart/mixed", contentType)
	}
	var best document
	var all []document
	parts := multipart.NewReader(body, params["boundary"])
	for range maxSiblings {
		p, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return document{}, fmt.Errorf("riak: siblings: %w", err)
		}
		var d document
		// A sibling that cannot be read (deleted by others, written by others) must not hide the rest.
		if json.NewDecoder(p).Decode(&d) != nil {
			continue
		}
		all = append(all, d)
		if d.newer(best.record) {
			best.record = d.record
		}
	}
	for _, d := range all {
		if d.Version != best.Version {
			continue // its proposals were for a version that is there
		}
		for _, p := range d.Proposals {
			if !slices.ContainsFunc(best.Proposals, func(o proposal) bool { return o.ID == p.ID }) {
				best.Proposals = append(best.Proposals, p)
			}
		}
		for _, id := range d.Withdrawn {
			if !slices.Contains(best.Withdrawn, id) {
				best.Withdrawn = append(best.Withdrawn, id)
			}
		}
	}
	return best, nil
}

// write writes a document over all siblings that f knew.
func (s *riakStore) write(ctx context.Context, k key, d document, f fork) error {
	v, err := json.Marshal(d)
	if err != nil {
		return err
	}
	a, err := s.do(ctx, http.MethodPut, path(k)+"?pw=quorum&w=quorum", f.token, v)
	if err != nil {
		return err
	}
	if a.code/100 != 2 && a.code != http.StatusMultipleChoices {
		line, _, _ := strings.Cut(strings.TrimSpace(string(a.body[:min(len(a.body), 512)])), "\n")
		return &riakError{"put", a.code, line}
	}
	return nil
}

// others are the proposals beside mine that are alive.
func (f fork) others(mine string, now time.Time) []proposal {
	return slices.DeleteFunc(slices.Clone(f.Proposals), func(p proposal) bool {
		return p.ID == mine || p.Version != f.Version+1 || slices.Contains(f.Withdrawn, p.ID) || now.Sub(time.Unix(0, p.At)) > proposalDies
	})
}

func (s *riakStore) swap(ctx context.Context, k key, next func(record) (record, error)) (record, error) {
	// A client that goes away must not leave a proposal behind, which others would wait for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), riakDeadline)
	defer cancel()
	if err := s.siblings(ctx, k.kind); err != nil {
		return record{}, err
	}
	for pause := swapPause; ; pause = min(2*pause, maxPause) {
		r, done, err := s.try(ctx, k, next)
		if done || err != nil {
			return r, err
		}
		if err := rest(ctx, pause); err != nil {
			return record{}, fmt.Errorf("riak: %s/%s is written by others all the time: %w", k.kind, k.path(), err)
		}
	}
}

// rest waits for a while that differs from writer to writer.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d/2 + randv2.N(d)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try is one round: done says that it was written, or refused by next.
func (s *riakStore) try(ctx context.Context, k key, next func(record) (record, error)) (r record, done bool, err error) {
	f, err := s.read(ctx, k, "?pr=quorum&r=quorum")
	if err != nil {
		return record{}, false, err
	}
	if r, err = next(f.record); err != nil {
		return f.record, true, err
	}
	if len(f.others("", time.Now())) > 0 {
		return record{}, false, nil // who came first
	}
	mine := proposal{ID: rand.Text(), Version: r.Version, At: time.Now().UnixNano()}
	begun := time.Now()
	if err := s.write(ctx, k, document{f.record, []proposal{mine}, f.Withdrawn}, f); err != nil {
		return record{}, false, err
	}
	for {
		now, err := s.read(ctx, k, "?pr=quorum&r=quorum")
		if err != nil {
			return record{}, false, err
		}
		others := now.others(mine.ID, time.Now())
		overtaken := now.Version != f.Version || now.At != f.At
		switch late := time.Since(begun) > commitWithin; {
		case overtaken, late, slices.ContainsFunc(others, func(p proposal) bool { return p.ID < mine.ID }):
			left := document{now.record, others, now.Withdrawn}
			if !overtaken {
				left.Withdrawn = append(left.Withdrawn, mine.ID)
			}
			return record{}, false, s.write(ctx, k, left, now)
		case len(others) > 0:
			if err := rest(ctx, swapPause); err != nil {
				return record{}, false, err
			}
			continue
		}
		return r, true, s.write(ctx, k, document{record: r}, now)
	}
}

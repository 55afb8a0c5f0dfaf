package services

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// PostgreSQL is asked for a login that is never ended, as pg_isready does: its answer to the first message is its state, and it logs nothing of a
// client that goes away before its password. Its figures want a login: those of its exporter are read by collect.scrape.
// Source: PostgreSQL 15, "Frontend/Backend Protocol", "Message Formats" and "PostgreSQL Error Codes", read 30 November 2026.
var PostgreSQL = system{
	name: "postgresql", schemes: map[string]string{"tcp": "5432", "postgresql": "5432", "postgres": "5432", "unix": ""},
	found: "tcp://127.0.0.1:5432",
	check: func(s Server) error {
		if !s.Password.IsZero() || s.CAFile != "" {
			return fmt.Errorf("password, ca_file: nobody logs in to ask whether a PostgreSQL answers: leave them out")
		}
		return nil
	},
	look: lookPostgreSQL,
}.spec()

const (
	postgresVersion = 3 << 16  // of the protocol
	maxPostgres     = 16 << 10 // bytes of one message
	postgresUser    = "binnacle"
)

func lookPostgreSQL(ctx context.Context, t *target, _ *batch) error {
	conn, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, sent := conn.Write(startup("user", cmp.Or(t.User, postgresUser), "database", "postgres", "application_name", "binnacle"))
	kind, body, err := readPostgres(conn)
	switch {
	case err != nil && sent != nil:
		return sent
	case err != nil:
		return err
	case kind == 'E':
		return refusal(body)
	case kind == 'R', kind == 'v':
		return nil // it wants a password, or none, or an older protocol: it serves
	}
	return inState(stateError, "want the answer to a login (R or E), have message %q", kind)
}

// startup is the first message: it alone has no letter.
func startup(parameters ...string) []byte {
	out := binary.BigEndian.AppendUint32(make([]byte, 4), postgresVersion)
	for _, p := range parameters {
		out = append(append(out, p...), 0)
	}
	out = append(out, 0)
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return out
}

// readPostgres reads one message: a letter, a length with itself in it, and the rest.
func readPostgres(r io.Reader) (kind byte, body []byte, err error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		if err == io.EOF {
			err = inState(stateError, "the connection was closed without an answer")
		}
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > maxPostgres {
		return 0, nil, inState(stateError, "no PostgreSQL: a message of %d bytes, which begins with %q", n, head)
	}
	body = make([]byte, n-4)
	_, err = io.ReadFull(r, body)
	return head[0], body, err
}

// refusal is the state that an error says. What refuses this login alone (no such user, no line of pg_hba.conf) serves others.
func refusal(body []byte) error {
	fields := map[byte]string{}
	for f := range strings.SplitSeq(string(body), "\x00") {
		if f != "" {
			fields[f[0]] = f[1:]
		}
	}
	code, text := fields['C'], fields['M']
	switch {
	case code == "":
		return inState(stateError, "an error without a code: %.200q", body)
	case code == "53300": // too_many_connections
		return inState(stateFull, "%.200s", text)
	case code == "57P03": // cannot_connect_now: it starts, recovers, or shuts down
		return inState(stateStarting, "%.200s", text)
	case strings.HasPrefix(code, "28"), strings.HasPrefix(code, "3D"), strings.HasPrefix(code, "42"):
		return nil // invalid_authorization_specification, invalid_catalog_name, insufficient_privilege
	}
	return inState(stateError, "%s: %.200s", code, text)
}

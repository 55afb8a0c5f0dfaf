package riak

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/navcloud/binnacle/collectors"
)

// The codes of protocol-buffer messages: each has a length of 4 bytes, the code, and what it says.
// Source: Riak KV documentation, "PBC API" and "PBC Auth Request", and a recorded ping (3.2.3), November 2026.
const (
	pbError    = 0 // RpbErrorResp
	pbPingReq  = 1
	pbPingResp = 2
	pbAuthReq  = 253 // user and password, over TLS alone
	pbAuthResp = 254
	pbStartTLS = 255
)

// maxPBError bounds the text of an error.
const maxPBError = 4 << 10

// pbSeen is what came of asking the protocol-buffer listener.
type pbSeen uint8

const (
	pbUnasked pbSeen = iota
	pbOK
	pbSecured   // security is on, and TLS came about where it was tried, and the login where there is one
	pbDenied    // security is on, and the login was refused
	pbUntrusted // security is on, and its certificate is not one that ca_file trusts
	pbRefused   // nobody listens
	pbSilent    // no answer in time
	pbOdd       // another answer
)

// answers says whether the listener does what it is there for.
func (p pbSeen) answers() bool {
	return p == pbOK || p == pbSecured || p == pbUntrusted || p == pbDenied
}

// pbPing asks the listener how it is. One that wants TLS lives: the handshake is made, and where there is a user the login and
// the ping too. A password goes to nobody whose certificate is not trusted.
func (r *collector) pbPing(ctx context.Context) pbSeen {
	ctx, cancel := context.WithTimeout(ctx, pingDeadline)
	defer cancel()
	var code byte
	var text []byte
	err := r.pbDial(ctx, func(c net.Conn) (err error) {
		code, text, err = pbExchange(c, pbPingReq, nil)
		return err
	})
	switch {
	case err != nil:
		return pbFailed(ctx, err)
	case code == pbPingResp:
		return pbOK
	case code != pbError || !bytes.Contains(bytes.ToUpper(text), []byte("STARTTLS")):
		return pbOdd
	}
	err = r.pbDial(ctx, func(c net.Conn) error { return r.pbLogin(ctx, c) })
	switch {
	case err == nil:
		return pbSecured
	case errors.Is(err, errPBDenied):
		return pbDenied
	case collectors.IsTLS(err) && r.opt.CAFile == "" && r.opt.User == "":
		return pbSecured // of whom nobody told us
	case collectors.IsTLS(err):
		return pbUntrusted
	}
	return pbFailed(ctx, err)
}

// errPBDenied says that the node refused the login.
var errPBDenied = errors.New("the login was refused")

// pbLogin makes a connection one of TLS and logs in where there is a user, and then pings.
func (r *collector) pbLogin(ctx context.Context, raw net.Conn) error {
	if err := startTLS(raw); err != nil {
		return err
	}
	c := tls.Client(raw, r.trust)
	if err := c.HandshakeContext(ctx); err != nil || r.opt.User == "" {
		return err
	}
	code, text, err := pbExchange(c, pbAuthReq, pbFields(r.opt.User, r.opt.Password.Reveal()))
	switch {
	case err != nil:
		return err
	case code == pbError:
		return errPBDenied
	case code != pbAuthResp:
		return fmt.Errorf("asked to log in, it answers code %d %.80q", code, text)
	}
	if code, text, err = pbExchange(c, pbPingReq, nil); err == nil && code != pbPingResp {
		err = fmt.Errorf("logged in and asked, it answers code %d %.80q", code, text)
	}
	return err
}

// pbFields is a message of fields 1, 2 and so on, each of bytes. Source: protobuf.dev/programming-guides/encoding, read 30 November 2026.
func pbFields(values ...string) []byte {
	var b []byte
	for i, v := range values {
		b = append(binary.AppendUvarint(append(b, byte(i+1)<<3|2), uint64(len(v))), v...)
	}
	return b
}

func pbFailed(ctx context.Context, err error) pbSeen {
	switch transportReason(ctx, err) {
	case reasonConnect:
		return pbRefused
	case reasonTimeout:
		return pbSilent
	}
	return pbOdd
}

// pbDial does something over a connection of its own.
func (r *collector) pbDial(ctx context.Context, do func(net.Conn) error) error {
	conn, err := r.env.Dial(ctx, "tcp", r.opt.PB)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	return do(conn)
}

// pbExchange sends a message and reads one.
func pbExchange(c net.Conn, code byte, content []byte) (byte, []byte, error) {
	message := append(binary.BigEndian.AppendUint32(nil, uint32(1+len(content))), code)
	if _, err := c.Write(append(message, content...)); err != nil {
		return 0, nil, err
	}
	var head [5]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n == 0 || n > maxPBError {
		return head[4], nil, fmt.Errorf("a message of %d bytes", n)
	}
	text := make([]byte, n-1)
	_, err := io.ReadFull(c, text)
	return head[4], text, err
}

package riak

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/navcloud/binnacle/collectors"
)

// The codes of protocol-buffer messages: each has a length of 4 bytes, the code, and what it says.
// Source: Riak KV documentation, "PBC API", and a recorded ping (3.2.3), November 2026.
const (
	pbError    = 0 // RpbErrorResp
	pbPingReq  = 1
	pbPingResp = 2
	pbStartTLS = 255
)

// maxPBError bounds the text of an error.
const maxPBError = 4 << 10

// pbSeen is what came of asking the protocol-buffer listener.
type pbSeen uint8

const (
	pbUnasked pbSeen = iota
	pbOK
	pbSecured   // security is on, and TLS came about where it was tried
	pbUntrusted // security is on, and its certificate is not one that ca_file trusts
	pbRefused   // nobody listens
	pbSilent    // no answer in time
	pbOdd       // another answer
)

// answers says whether the listener does what it is there for.
func (p pbSeen) answers() bool { return p == pbOK || p == pbSecured || p == pbUntrusted }

// pbPing asks the listener how it is. One that wants TLS lives: the handshake is made, and goes no further, since clients
// log in with credentials of their own.
func (r *collector) pbPing(ctx context.Context) pbSeen {
	ctx, cancel := context.WithTimeout(ctx, pingDeadline)
	defer cancel()
	code, text, err := r.pbAsk(ctx, pbPingReq, nil)
	switch {
	case err != nil:
		return pbFailed(ctx, err)
	case code == pbPingResp:
		return pbOK
	case code != pbError || !bytes.Contains(bytes.ToUpper(text), []byte("STARTTLS")):
		return pbOdd
	}
	_, _, err = r.pbAsk(ctx, pbStartTLS, r.trust)
	switch {
	case err == nil:
		return pbSecured
	case collectors.IsTLS(err) && r.opt.CAFile == "":
		return pbSecured // of whom nobody told us
	case collectors.IsTLS(err):
		return pbUntrusted
	}
	return pbFailed(ctx, err)
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

// pbAsk sends one message on a connection of its own and returns the answer. With trust it then shakes hands.
func (r *collector) pbAsk(ctx context.Context, code byte, trust *tls.Config) (byte, []byte, error) {
	conn, err := r.env.Dial(ctx, "tcp", r.opt.PB)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	got, text, err := pbExchange(conn, code)
	if err != nil || trust == nil {
		return got, text, err
	}
	if got != pbStartTLS {
		return got, text, fmt.Errorf("asked for TLS, it answers code %d %.80q", got, text)
	}
	return got, text, tls.Client(conn, trust).HandshakeContext(ctx)
}

// pbExchange sends a message without content and reads one.
func pbExchange(c net.Conn, code byte) (byte, []byte, error) {
	if _, err := c.Write([]byte{0, 0, 0, 1, code}); err != nil {
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

// pbTrust returns how the certificate of the protocol-buffer listener is checked. Its name is not, where it is asked at an
// address of this machine: it is made for the names that clients use.
func pbTrust(address, caFile string) (*tls.Config, error) {
	c, err := collectors.Trust(caFile)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c.ServerName = host
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return c, nil
	}
	roots := c.RootCAs
	c.InsecureSkipVerify = true // by itself: VerifyConnection checks the chain
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errors.New("it has no certificate")
		}
		between := x509.NewCertPool()
		for _, cert := range s.PeerCertificates[1:] {
			between.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
		return err
	}
	return c, nil
}

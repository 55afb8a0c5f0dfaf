package collectorstest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"syscall"
	"time"
)

// riakAuthority is a private authority, and the certificate of riak.example that it signed.
var riakAuthority = sync.OnceValue(func() (a struct {
	pem  []byte
	leaf tls.Certificate
},
) {
	must := func(err error) {
		if err != nil {
			panic("collectorstest: " + err.Error())
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stand-in authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	must(err)
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "riak.example"}, DNSNames: append([]string{"riak.example"}, RiakNodes...),
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
	}
	of, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	der, err = x509.CreateCertificate(rand.Reader, leaf, ca, of.Public(), key)
	must(err)
	a.leaf = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: of}
	return a
})

// RiakAuthority is the PEM of the private authority that signed the certificate of the protocol-buffer listener.
func RiakAuthority() []byte { return riakAuthority().pem }

// Dial connects to the protocol-buffer listener of a node in process: any port of its name.
func (s *Riak) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	node, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	refused := s.refusesPB(node)
	s.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	go s.servePB(node, far)
	return near, nil
}

func (s *Riak) refusesPB(node string) bool {
	return s.sit == RiakPBDown && node == "riak3" || s.answerHeld(node, "/ping").refused
}

// Messages of the protocol. Ping, its answer and the refusal of a node with security on are as a real node sends them; login and
// its answers are derived. Source: a recorded ping (3.2.3, November 2026); riak_api's riak_api_pb_server, read
// 30 November 2026.
const (
	pbErrorResp = 0
	pbPingReq   = 1
	pbPingResp  = 2
	pbAuthReq   = 253
	pbAuthResp  = 254
	pbStartTLS  = 255
	pbWantsTLS  = "Security is enabled, please STARTTLS first"
)

// servePB answers on one connection until it ends.
func (s *Riak) servePB(node string, c net.Conn) {
	defer func() { _ = c.Close() }()
	var in pbSession
	for {
		code, text, err := readPB(c)
		if err != nil {
			return
		}
		s.mu.Lock()
		a := s.answerHeld(node, "/ping")
		secured := s.secured(node)
		s.mu.Unlock()
		switch {
		case a.hang:
			_, _ = io.Copy(io.Discard, c)
			return
		case secured && !in.tls && code == pbStartTLS:
			if err = writePB(c, pbStartTLS, ""); err == nil {
				t := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{riakAuthority().leaf}})
				err = t.Handshake()
				c, in.tls = t, true
			}
		case secured && !in.tls:
			err = writePB(c, pbErrorResp, pbText(pbWantsTLS)+"\x10\x00")
		case secured && !in.login && code == pbAuthReq:
			if in.login = string(text) == pbText(User)+"\x12"+pbText(Password)[1:]; in.login {
				err = writePB(c, pbAuthResp, "")
			} else {
				err = writePB(c, pbErrorResp, pbText("Authentication failed"))
			}
		case secured && !in.login:
			err = writePB(c, pbErrorResp, pbText("Security is enabled, please log in first"))
		case code == pbPingReq:
			err = writePB(c, pbPingResp, "")
		default:
			err = errors.New("not played")
		}
		if err != nil {
			return
		}
	}
}

// pbSession is how far a client of a node with security on has come.
type pbSession struct{ tls, login bool }

// pbText is a first field of bytes.
func pbText(text string) string { return "\x0a" + string(rune(len(text))) + text }

func readPB(c net.Conn) (code byte, text []byte, err error) {
	var head [5]byte
	if _, err = io.ReadFull(c, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n == 0 || n > 1<<10 {
		return 0, nil, errors.New("an odd length")
	}
	text = make([]byte, n-1)
	_, err = io.ReadFull(c, text)
	return head[4], text, err
}

func writePB(c net.Conn, code byte, text string) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(text)))
	_, err := c.Write(append(append(b, code), text...))
	return err
}

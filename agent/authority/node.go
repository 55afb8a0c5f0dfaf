package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
)

// alarmAt is how long before its end a certificate that is not renewed is an alarm.
const alarmAt = 30 * 24 * time.Hour

// Node are the files of one node's certificate, in a folder of its own.
type Node struct{ Dir string }

// NodeOf is where an agent's certificate is, in its data folder.
func NodeOf(data string) Node { return Node{filepath.Join(data, "tls")} }

// Cert is the file of the certificate, with the authority's behind it.
func (n Node) Cert() string { return filepath.Join(n.Dir, "cert.pem") }

// Key is the file of its key, for its owner's eyes alone.
func (n Node) Key() string { return filepath.Join(n.Dir, "key.pem") }

// CA is the file of the authority's certificate.
func (n Node) CA() string { return filepath.Join(n.Dir, "ca.pem") }

// Ready says whether all three are there.
func (n Node) Ready() bool {
	for _, path := range []string{n.Cert(), n.Key(), n.CA()} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

// key returns the node's key, which it makes where there is none.
func (n Node) key() (*ecdsa.PrivateKey, error) {
	key, err := readKey(n.Key())
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	return key, atomicfile.Write(n.Key(), text, 0o600)
}

// request is what an authority signs.
func (n Node) request(name string) (string, error) {
	key, err := n.key()
	if err != nil {
		return "", err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// keep writes what an authority answered, when it is a certificate of the node's own key.
func (n Node) keep(cert, ca []byte) error {
	key, err := readKey(n.Key())
	if err != nil {
		return err
	}
	block, _ := pem.Decode(cert)
	if block == nil {
		return errors.New("the authority answered no certificate")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("the authority's answer: %w", err)
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return errors.New("the authority answered a certificate of another key")
	}
	if len(ca) > 0 {
		if err := atomicfile.Write(n.CA(), ca, 0o644); err != nil {
			return err
		}
	}
	return atomicfile.Write(n.Cert(), cert, 0o644)
}

// Sign gives the node of the authority's own machine a certificate.
func (n Node) Sign(a *Authority, name string, hosts []string) error {
	key, err := n.key()
	if err != nil {
		return err
	}
	cert, err := a.Issue(name, key.Public(), hosts)
	if err != nil {
		return err
	}
	return n.keep(cert, a.PEM())
}

// Stale says why a node that has joined should join again with a token; "": it has what it needs.
func (n Node) Stale(token string, now time.Time) string {
	_, want, err := splitJoin(token)
	if err != nil {
		return ""
	}
	ca, err := ReadCert(n.CA())
	if err != nil || fingerprint(ca.Raw) != want {
		return "the router has another authority than the one that it joined"
	}
	if c, err := ReadCert(n.Cert()); err != nil || now.After(c.NotAfter) {
		return "its certificate has ended"
	}
	return ""
}

// Hosts are the names and addresses of the certificate.
func Hosts(c *x509.Certificate) []string {
	out := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// Renew renews the node's certificate by ask once two thirds of its life are past. Without a certificate there is nothing to
// do. It says when to look again; an error is an alarm: the certificate ends within 30 days, or has.
func (n Node) Renew(now time.Time, ask func(old *x509.Certificate) error) (renewed bool, err error) {
	c, err := ReadCert(n.Cert())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if now.Before(c.NotBefore.Add(2 * c.NotAfter.Sub(c.NotBefore) / 3)) {
		return false, nil
	}
	err = ask(c)
	if err == nil {
		return true, nil
	}
	if left := c.NotAfter.Sub(now); left < alarmAt {
		ends := "ends"
		if left <= 0 {
			ends = "ended"
		}
		return false, fmt.Errorf("the certificate %s %s on %s and cannot be renewed: %w", n.Cert(), ends, c.NotAfter.UTC().Format(time.DateOnly), err)
	}
	return false, &LaterError{err}
}

// LaterError is a renewal that failed while there is time to try again.
type LaterError struct{ Err error }

func (e *LaterError) Error() string { return "not renewed yet: " + e.Err.Error() }

// Unwrap returns why.
func (e *LaterError) Unwrap() error { return e.Err }

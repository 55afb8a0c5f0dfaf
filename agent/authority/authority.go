// Package authority is the certificate authority of a fleet, kept by its first router: it signs the certificates of nodes that
// join with a token, and renews them.
//
// It is files in one folder, which other programs may read and write too: nothing is kept in memory. It does not say who may
// ask: a token to join is its own proof, and for a renewal the caller names the node that has proved itself.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/navcloud/binnacle/agent/atomicfile"
)

// Lives of what is signed.
const (
	Life      = 365 * 24 * time.Hour      // of a certificate
	ownLife   = 10 * 365 * 24 * time.Hour // of the authority's own
	backdated = 5 * time.Minute           // for clocks that are behind
)

const (
	certFile  = "ca.pem"
	keyFile   = "ca.key"
	joinsFile = "joins.yaml"
)

// NodeName is what a node may be called: as a host, up to 64 characters.
var NodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Authority signs. Its methods may be called by several processes at once, but for Redeem, which one process serves.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time
}

// Dir is where the authority of an agent is, in its data folder.
func Dir(data string) string { return filepath.Join(data, "authority") }

// Exists says whether dir holds an authority.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, keyFile))
	return err == nil
}

// Create makes an authority in dir, which it makes too. One that is there stays as it is.
func Create(dir, name string, now func() time.Time) (*Authority, error) {
	if Exists(dir) {
		return Open(dir, now)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	at := now().UTC()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "binnacle authority of " + name},
		NotBefore: at.Add(-backdated), NotAfter: at.Add(ownLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, err
	}
	// The key is last: only with it the authority is one, so that half of this is done again.
	if err := atomicfile.Write(filepath.Join(dir, certFile), certPEM(der), 0o644); err != nil {
		return nil, err
	}
	if err := atomicfile.Write(filepath.Join(dir, keyFile), text, 0o600); err != nil {
		return nil, err
	}
	return Open(dir, now)
}

// Open reads the authority in dir.
func Open(dir string, now func() time.Time) (*Authority, error) {
	cert, err := ReadCert(filepath.Join(dir, certFile))
	if err != nil {
		return nil, err
	}
	key, err := readKey(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s is not the key of %s", keyFile, filepath.Join(dir, certFile))
	}
	return &Authority{dir: dir, cert: cert, key: key, now: now}, nil
}

// Fingerprint is the SHA-256 of the authority's certificate in DER, in hexadecimal digits.
func (a *Authority) Fingerprint() string { return fingerprint(a.cert.Raw) }

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// PEM is the authority's certificate.
func (a *Authority) PEM() []byte { return certPEM(a.cert.Raw) }

// Issue signs a certificate for name, which answers under the names and addresses given, and returns it with the authority's.
func (a *Authority) Issue(name string, public any, hosts []string) ([]byte, error) {
	at := a.now().UTC()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: at.Add(-backdated), NotAfter: at.Add(Life),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if t.NotAfter.After(a.cert.NotAfter) {
		return nil, fmt.Errorf("the authority ends on %s, within the life of what it would sign: set up a new one", a.cert.NotAfter.Format(time.DateOnly))
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if h = strings.ToLower(strings.TrimSuffix(h, ".")); !slices.Contains(t.DNSNames, h) {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, public, a.key)
	if err != nil {
		return nil, err
	}
	return append(certPEM(der), a.PEM()...), nil
}

// sign is Issue for a request that a node sent: its key is proved by its signature, and its names do not count.
func (a *Authority) sign(name, request string, hosts []string) ([]byte, error) {
	block, _ := pem.Decode([]byte(request))
	if block == nil {
		return nil, errors.New("csr: want PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("csr: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("csr: %w", err)
	}
	if _, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok {
		return nil, errors.New("csr: want a key of ECDSA")
	}
	return a.Issue(name, csr.PublicKey, hosts)
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // which never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ReadCert reads the first certificate of a PEM file.
func ReadCert(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s: want a certificate in PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: want a key in PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if own, ok := key.(*ecdsa.PrivateKey); ok && err == nil {
		return own, nil
	}
	return nil, errors.Join(fmt.Errorf("%s: want a key of ECDSA in PKCS 8", path), err)
}

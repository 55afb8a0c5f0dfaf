package intake

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" // topics sign so unless told otherwise
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// SNSConfig says which topics may speak to us over HTTPS.
type SNSConfig struct {
	Topics    []string `yaml:"topics"`     // ARNs; none: the endpoint is shut
	RequireV2 bool     `yaml:"require_v2"` // refuse SHA1 signatures
}

// Validate says what is out of bounds.
func (c SNSConfig) Validate() error {
	var errs []error
	for _, t := range c.Topics {
		if !strings.HasPrefix(t, "arn:aws") || !strings.Contains(t, ":sns:") {
			errs = append(errs, fmt.Errorf("topics: %q is not the ARN of a topic", t))
		}
	}
	return errors.Join(errs...)
}

// Bounds of notifications.
// Source: SNS developer guide, "Verifying the signatures of Amazon SNS messages" and message quotas (256 KB),
// read November 2026.
const (
	maxSNS     = 512 << 10
	maxAge     = time.Hour
	maxAhead   = 5 * time.Minute
	maxCert    = 64 << 10
	maxCerts   = 16
	snsTimeout = 5 * time.Second
)

var snsHost = regexp.MustCompile(`^sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?$`)

// SNS receives CloudWatch's alarms from SNS topics, each notification signed by a certificate of Amazon's.
type SNS struct {
	cfg   SNSConfig
	http  *http.Client
	log   *slog.Logger
	now   func() time.Time
	cloud *cloud

	mu    sync.Mutex
	certs map[string]*x509.Certificate
}

// newTopics makes the handler. rt fetches certificates and confirms subscriptions; nil means the network.
func newTopics(cfg SNSConfig, c *cloud, rt http.RoundTripper, log *slog.Logger) *SNS {
	return &SNS{
		cfg: cfg, cloud: c, log: log, now: time.Now, certs: map[string]*x509.Certificate{},
		http: &http.Client{Transport: rt, Timeout: snsTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// envelope is what SNS posts.
type envelope struct {
	Type, TopicArn, Message, Timestamp, SignatureVersion, Signature, SigningCertURL string
	MessageID                                                                       string `json:"MessageId"`
	Subject                                                                         *string
	Token, SubscribeURL                                                             string
}

func (s *SNS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSNS))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		http.Error(w, "want an SNS envelope: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.verify(r.Context(), e); err != nil {
		s.log.Warn("SNS message refused", "topic", e.TopicArn, "err", err)
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	switch e.Type {
	case "SubscriptionConfirmation":
		err = s.confirm(r.Context(), e)
	case "Notification":
		err = s.notify(r.Context(), e)
	default:
		s.log.Warn("SNS message of a kind that is not acted on", "type", e.Type, "topic", e.TopicArn)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable) // SNS comes again
	}
}

// notify takes what the topic tells. A form that is not known is counted and shown; SNS would gain nothing by coming again.
func (s *SNS) notify(ctx context.Context, e envelope) error {
	ctx, cancel := context.WithTimeout(ctx, putDeadline)
	defer cancel()
	came, ok := cloudTime(e.Timestamp)
	if !ok {
		came = s.now()
	}
	if err := s.cloud.hears(ctx, []byte(e.Message), came); err != nil && !errors.Is(err, errUnknownForm) && !errors.Is(err, errUnreadable) {
		return err // which is the router's
	}
	s.cloud.keep()
	return nil
}

// verify follows Amazon's steps, the cheapest first.
func (s *SNS) verify(ctx context.Context, e envelope) error {
	if !slices.Contains(s.cfg.Topics, e.TopicArn) {
		return fmt.Errorf("topic %q is not one of ours", e.TopicArn)
	}
	sent, err := time.Parse(time.RFC3339, e.Timestamp)
	if err != nil {
		return fmt.Errorf("timestamp: %w", err)
	}
	if age := s.now().Sub(sent); age > maxAge || age < -maxAhead {
		return fmt.Errorf("message of %s is too old or from the future", e.Timestamp)
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signature)
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	hash, sum, err := s.digest(e)
	if err != nil {
		return err
	}
	cert, err := s.cert(ctx, e.SigningCertURL)
	if err != nil {
		return err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errors.New("the certificate has no RSA key")
	}
	if err := rsa.VerifyPKCS1v15(key, hash, sum, sig); err != nil {
		return errors.New("the signature does not match")
	}
	return nil
}

func (s *SNS) digest(e envelope) (crypto.Hash, []byte, error) {
	var b strings.Builder
	line := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	line("Message", e.Message)
	line("MessageId", e.MessageID)
	if e.Type == "Notification" {
		if e.Subject != nil {
			line("Subject", *e.Subject)
		}
	} else {
		line("SubscribeURL", e.SubscribeURL)
	}
	line("Timestamp", e.Timestamp)
	if e.Type != "Notification" {
		line("Token", e.Token)
	}
	line("TopicArn", e.TopicArn)
	line("Type", e.Type)
	switch {
	case e.SignatureVersion == "2":
		sum := sha256.Sum256([]byte(b.String()))
		return crypto.SHA256, sum[:], nil
	case e.SignatureVersion == "1" && !s.cfg.RequireV2:
		sum := sha1.Sum([]byte(b.String())) // version 1 is SHA1
		return crypto.SHA1, sum[:], nil
	}
	return 0, nil, fmt.Errorf("signature version %q is not taken", e.SignatureVersion)
}

// amazons says whether a URL leads to SNS itself.
func amazons(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "https" || u.User != nil || u.Port() != "" || !snsHost.MatchString(u.Host) {
		return nil, fmt.Errorf("%q is not an address of SNS", text)
	}
	return u, nil
}

func (s *SNS) cert(ctx context.Context, text string) (*x509.Certificate, error) {
	u, err := amazons(text)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if !strings.HasSuffix(u.Path, ".pem") {
		return nil, fmt.Errorf("certificate: %q is not a .pem", text)
	}
	s.mu.Lock()
	cert := s.certs[text]
	s.mu.Unlock()
	if cert == nil {
		data, err := s.get(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return nil, errors.New("certificate: not PEM")
		}
		if cert, err = x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		s.mu.Lock()
		if len(s.certs) >= maxCerts {
			clear(s.certs)
		}
		s.certs[text] = cert
		s.mu.Unlock()
	}
	if now := s.now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, errors.New("certificate: not valid today")
	}
	return cert, nil
}

func (s *SNS) get(ctx context.Context, text string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, text, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", text, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxCert))
}

// confirm follows the link of a subscription to a topic of ours, if it leads to SNS.
func (s *SNS) confirm(ctx context.Context, e envelope) error {
	if _, err := amazons(e.SubscribeURL); err != nil {
		s.log.Warn("SNS subscription not confirmed", "topic", e.TopicArn, "err", err)
		return nil
	}
	if _, err := s.get(ctx, e.SubscribeURL); err != nil {
		return fmt.Errorf("confirm the subscription: %w", err)
	}
	s.log.Info("SNS subscription confirmed", "topic", e.TopicArn)
	return nil
}

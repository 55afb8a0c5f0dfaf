package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/navcloud/binnacle/agent/authority"
	"github.com/navcloud/binnacle/agent/door"
)

// certificateLook is how often a certificate is looked at; renewing begins four months before its end.
const certificateLook = time.Hour

// authority answers nodes that join, and that renew their certificates.
func (a *Agent) authority(cfg Config) authority.Server {
	return authority.Server{
		Dir: authority.Dir(cfg.Data), Now: time.Now,
		Self: func() []string {
			own := []string{cfg.nodeName()}
			if c, err := authority.ReadCert(authority.NodeOf(cfg.Data).Cert()); err == nil {
				own = append(own, authority.Hosts(c)...)
			}
			return own
		},
		Admit: func(node string, again bool) (string, error) { return cfg.Web.Admit(cfg.Data, node, again) },
		Who: func(r *http.Request) (string, bool) {
			p := door.Who(r)
			return p.Login, p.Known()
		},
		Told: func(node, from string) { a.log.Info("a node joined", "node", node, "from", from) },
	}
}

// keepCertificate renews the certificate that `binnacle setup` or `binnacle join` made, for as long as it is there. Its error
// is an alarm.
func (a *Agent) keepCertificate(ctx context.Context) error {
	look := time.NewTicker(certificateLook)
	defer look.Stop()
	for {
		cfg := a.config()
		renewed, err := authority.NodeOf(cfg.Data).Renew(time.Now(), func(old *x509.Certificate) error { return renewCertificate(ctx, cfg, old) })
		later, soon := errors.AsType[*authority.LaterError](err)
		switch {
		case renewed:
			a.log.Info("certificate renewed", "file", authority.NodeOf(cfg.Data).Cert())
		case soon:
			a.log.Warn("certificate not renewed; it is tried again", "err", later.Err)
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// renewCertificate asks the authority: our own, or that of the routers.
func renewCertificate(ctx context.Context, cfg Config, old *x509.Certificate) error {
	n, name := authority.NodeOf(cfg.Data), old.Subject.CommonName
	if dir := authority.Dir(cfg.Data); authority.Exists(dir) {
		own, err := authority.Open(dir, time.Now)
		if err != nil {
			return err
		}
		return n.Sign(own, name, authority.Hosts(old))
	}
	if len(cfg.Rules.Routers) == 0 {
		return errors.New("no authority is on this machine, and rules.routers names no router that has one")
	}
	tr, err := cfg.Rules.Login.Transport()
	if err != nil {
		return err
	}
	defer tr.CloseIdleConnections()
	var errs []error
	for _, r := range cfg.Rules.Routers {
		err := authority.AskRenewal(ctx, &http.Client{Transport: tr}, r, cfg.Rules.Login.Header(), name, n)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

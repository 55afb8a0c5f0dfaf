package pagerduty

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/navcloud/binnacle/agent/login"
	"github.com/navcloud/binnacle/agent/secret"
)

// DefaultRoute is the name of the route that RoutingKey serves.
const DefaultRoute = "default"

// Config says how PagerDuty is reached. Without any routing key there is no pager.
type Config struct {
	RoutingKey secret.Secret    `yaml:"routing_key"` // of the default route, 32 characters
	Routes     map[string]Route `yaml:"routes"`      // further ones, by name
	Region     string           `yaml:"region"`      // us or eu
	EventsURL  string           `yaml:"events_url"`  // in place of the region's
	APIURL     string           `yaml:"api_url"`     // in place of the region's
	Proxy      string           `yaml:"proxy"`       // URL; empty: as the environment says
	CAFile     string           `yaml:"ca_file"`     // PEM, trusted besides the system's
	Timeout    time.Duration    `yaml:"timeout"`     // of one call; 1s to 30s

	// Token opens the REST API: titles, priorities and notes of open incidents, and acknowledgements
	// by polling. From is the mail address of the user in whose name it writes.
	Token   secret.Secret `yaml:"token"`
	From    string        `yaml:"from"`
	AckPoll time.Duration `yaml:"ack_poll"` // between questions for acknowledgements; 0 never asks, else 5s to 5m

	// Second takes P1s that could not be delivered for a while: another integration, or a chat tool.
	Second Second `yaml:"second"`

	// Low takes what wakes nobody, P3 and where wanted P4, in place of PagerDuty.
	Low Low `yaml:"low"`

	// WebhookSecrets sign the v3 webhooks; several while one is being replaced.
	WebhookSecrets []secret.Secret `yaml:"webhook_secrets"`
}

// Route is one more integration of PagerDuty: whose alarms go there.
type Route struct {
	RoutingKey secret.Secret `yaml:"routing_key"`
	Services   []string      `yaml:"services"` // by the label service
	Teams      []string      `yaml:"teams"`    // by the label team, which goes before the service
}

// Second is the second channel: a routing key, or the URL of a chat tool's incoming webhook, which is a secret.
type Second struct {
	RoutingKey secret.Secret `yaml:"routing_key"`
	Webhook    secret.Secret `yaml:"webhook"`
}

// Low is where P3 and P4 go: the URL of a chat tool's incoming webhook, which is a secret. Empty: P3 opens incidents of
// low urgency, and P4 is on the board alone.
type Low struct {
	Webhook secret.Secret `yaml:"webhook"`
	P4      bool          `yaml:"p4"` // too
}

// LowRoute is the name of the route that Low serves.
const LowRoute = "low"

// DefaultConfig is what an empty section means.
func DefaultConfig() Config {
	return Config{Region: "us", Timeout: 3 * time.Second, AckPoll: 10 * time.Second}
}

// Addresses of the two regions.
// Source: PagerDuty developer documentation, "Service regions", read November 2026.
var regions = map[string]struct{ events, api string }{
	"us": {"https://events.pagerduty.com", "https://api.pagerduty.com"},
	"eu": {"https://events.eu.pagerduty.com", "https://api.eu.pagerduty.com"},
}

// keyLength is the length of a routing key.
const keyLength = 32

// Configured says whether there is anything to send with.
func (c Config) Configured() bool { return !c.RoutingKey.IsZero() || len(c.Routes) > 0 }

// Validate says what is out of bounds.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if n := len(c.RoutingKey.Reveal()); n != 0 && n != keyLength {
		bad("routing_key: has %d characters, want %d", n, keyLength)
	}
	for name, r := range c.Routes {
		if n := len(r.RoutingKey.Reveal()); n != keyLength {
			bad("routes.%s.routing_key: has %d characters, want %d", name, n, keyLength)
		}
		if len(r.Services)+len(r.Teams) == 0 {
			bad("routes.%s: want services or teams, else nothing goes there", name)
		}
	}
	if n := len(c.Second.RoutingKey.Reveal()); n != 0 && n != keyLength {
		bad("second.routing_key: has %d characters, want %d", n, keyLength)
	}
	if checkURL(c.Second.Webhook.Reveal()) != nil { // whose error would show the secret
		bad("second.webhook: want an http or https URL")
	}
	if checkURL(c.Low.Webhook.Reveal()) != nil {
		bad("low.webhook: want an http or https URL")
	}
	if c.Low.P4 && c.Low.Webhook.IsZero() {
		bad("low.p4: want a webhook to send them to")
	}
	if _, ok := c.Routes[LowRoute]; ok {
		bad("routes.%s: that name is for what goes to low.webhook", LowRoute)
	}
	if !c.Second.RoutingKey.IsZero() && !c.Second.Webhook.IsZero() {
		bad("second: want a routing_key or a webhook, have both")
	}
	if _, ok := regions[c.Region]; !ok {
		bad("region: %q is neither us nor eu", c.Region)
	}
	for name, u := range map[string]string{"events_url": c.EventsURL, "api_url": c.APIURL, "proxy": c.Proxy} {
		if err := checkURL(u); err != nil {
			bad("%s: %w", name, err)
		}
	}
	if c.Timeout < time.Second || c.Timeout > 30*time.Second {
		bad("timeout: %v is outside 1s to 30s", c.Timeout)
	}
	if c.AckPoll != 0 && (c.AckPoll < 5*time.Second || c.AckPoll > 5*time.Minute) {
		bad("ack_poll: %v is neither 0s nor within 5s to 5m", c.AckPoll)
	}
	if !c.Token.IsZero() && c.From == "" {
		bad("from: the REST API wants the mail address of a user beside the token")
	}
	return errors.Join(errs...)
}

func checkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not an http or https URL", s)
	}
	return nil
}

// RouteOf returns the name of the route for an alarm's labels.
func (c Config) RouteOf(labels map[string]string) string {
	names := make([]string, 0, len(c.Routes))
	for name := range c.Routes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if team := labels["team"]; team != "" && slices.Contains(c.Routes[name].Teams, team) {
			return name
		}
	}
	for _, name := range names {
		if service := labels["service"]; service != "" && slices.Contains(c.Routes[name].Services, service) {
			return name
		}
	}
	return DefaultRoute
}

// keys returns the routing key of each route.
func (c Config) keys() map[string]string {
	keys := map[string]string{}
	if !c.RoutingKey.IsZero() {
		keys[DefaultRoute] = c.RoutingKey.Reveal()
	}
	for name, r := range c.Routes {
		keys[name] = r.RoutingKey.Reveal()
	}
	return keys
}

func (c Config) urls() (events, api string) {
	r := regions[c.Region]
	events, api = r.events, r.api
	if c.EventsURL != "" {
		events = c.EventsURL
	}
	if c.APIURL != "" {
		api = c.APIURL
	}
	return events, api
}

// dialed is the address that is dialed for a URL: the proxy's where there is one.
func (c Config) dialed(text string) string {
	if c.Proxy != "" {
		text = c.Proxy
	}
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// transport reaches PagerDuty as Config says. Its limits keep a dead network from holding more than one
// call's time.
func (c Config) transport() (http.RoundTripper, *reach, error) {
	r := newReach(c.Timeout)
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         r.dial,
		TLSHandshakeTimeout: c.Timeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        8,
		IdleConnTimeout:     10 * time.Minute, // one is kept open, see Warm
	}
	if c.Proxy != "" {
		u, err := url.Parse(c.Proxy)
		if err != nil {
			return nil, nil, fmt.Errorf("proxy: %w", err)
		}
		t.Proxy = http.ProxyURL(u)
	}
	var err error
	if t.TLSClientConfig, err = (login.Options{CAFile: c.CAFile}).TLS(); err != nil {
		return nil, nil, err
	}
	return t, r, nil
}

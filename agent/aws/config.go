// Package aws is what AWS says: which alarms of CloudWatch fire, what waits in a queue, and which instances Auto Scaling has.
//
// It asks and prices; it decides nothing and keeps nothing but what it spent. No type of the SDK leaves it. Who leads the fleet
// asks, nobody else: that is for the caller to know. Everything of it is off without its sections in the configuration.
package aws

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Config is the section aws: who we are there, and what our own questions may cost. What is empty comes from the SDK's own chain:
// environment, files, web identity, containers, the instance.
type Config struct {
	Region     string  `yaml:"region"`      // empty: AWS_REGION, the profile, a queue's address, the instance's identity document
	Profile    string  `yaml:"profile"`     // of ~/.aws/config
	RoleARN    string  `yaml:"role_arn"`    // assumed with what the chain finds
	ExternalID string  `yaml:"external_id"` // that the role asks for
	Endpoint   string  `yaml:"endpoint"`    // URL of all services; AWS_ENDPOINT_URL_SQS and the like rule over it
	FIPS       bool    `yaml:"fips"`
	DualStack  bool    `yaml:"dual_stack"`
	Budget     float64 `yaml:"budget"` // dollars a month for our own questions
	// Lead says whether this node asks at all. Of routers that share a ledger only the one that sends asks, whatever is set here.
	Lead bool `yaml:"lead"`
}

// Default returns what an empty section means.
func Default() Config { return Config{Budget: 5, Lead: true} }

// Bounds of the settings. Source: IAM user guide, "IAM and AWS STS quotas" (external ID 2 to 1224 characters of this set, ARN up
// to 2048), read November 2026.
var (
	regionForm   = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-\d+$`)
	roleForm     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$`) // no longer than maxARN: a counted repetition takes half a megabyte from the start on
	externalForm = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
)

// maxARN bounds the name of a role. Source: STS API Reference, AssumeRole, RoleArn; read 30 November 2026.
const maxARN = 2048

// mostBudget is beyond what anybody means.
const mostBudget = 10_000

// Validate says all that is out of bounds.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Region != "" && !regionForm.MatchString(c.Region) {
		bad("region: want one as eu-west-1, have %q", c.Region)
	}
	if c.RoleARN != "" && (len(c.RoleARN) > maxARN || !roleForm.MatchString(c.RoleARN)) {
		bad("role_arn: want arn:aws:iam::123456789012:role/NAME, have %q", c.RoleARN)
	}
	switch {
	case c.ExternalID == "":
	case c.RoleARN == "":
		bad("external_id: want role_arn with it")
	case len(c.ExternalID) > 1224 || !externalForm.MatchString(c.ExternalID):
		bad("external_id: want 2 to 1224 letters, digits and +=,.@:/-")
	}
	if strings.TrimSpace(c.Profile) != c.Profile {
		bad("profile: have blanks around %q", c.Profile)
	}
	if c.Endpoint != "" {
		if err := checkEndpoint(c.Endpoint); err != nil {
			bad("endpoint: %w", err)
		}
		if c.FIPS || c.DualStack {
			bad("endpoint: it says where to ask, so fips and dual_stack cannot")
		}
	}
	if !(c.Budget >= 0 && c.Budget <= mostBudget) { // NaN too
		bad("budget: %v is outside 0 to %d dollars a month", c.Budget, mostBudget)
	}
	return errors.Join(errs...)
}

func checkEndpoint(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil: // which has the text in it, and a password may be in the text
		return errors.New("want http:// or https:// and a host")
	case u.User != nil:
		return errors.New("want no name and password in it")
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("want http:// or https:// and a host, have %q", text)
	}
	return nil
}

var queueHost = regexp.MustCompile(`^(?:sqs|sqs-fips)\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$|^([a-z0-9-]+)\.queue\.amazonaws\.com$`)

// RegionOf is the region that the address of a queue names; empty where it names none.
func RegionOf(queue string) string {
	u, err := url.Parse(queue)
	if err != nil {
		return ""
	}
	m := queueHost.FindStringSubmatch(u.Hostname())
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}

// CheckQueue says what is wrong with the address of a queue.
func CheckQueue(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.User != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "":
		return errors.New("want the URL of an SQS queue, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
	case len(strings.Split(strings.Trim(u.Path, "/"), "/")) != 2:
		return fmt.Errorf("want https://sqs.REGION.amazonaws.com/ACCOUNT/NAME, have %q", text)
	case strings.HasSuffix(u.Path, ".fifo"):
		return errors.New("want a standard queue: EventBridge and CloudWatch send to no .fifo without a group")
	}
	return nil
}

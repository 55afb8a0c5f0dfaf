package aws

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Options are the section collect.aws: what is read of AWS. Each service takes auto (all that reported lately), names, or off.
type Options struct {
	Every    time.Duration `yaml:"every"`    // between two readings of a metric, by the month's budget at most so often; 1m to 15m
	ELB      Pick          `yaml:"elb"`      // classic balancers
	ALB      Pick          `yaml:"alb"`      // application balancers, as app/NAME/ID, and their target groups
	NLB      Pick          `yaml:"nlb"`      // network balancers, as net/NAME/ID, and their target groups
	SQS      Pick          `yaml:"sqs"`      // queues; {high: NAME, low: NAME} says which priority each has
	RDS      Pick          `yaml:"rds"`      // database instances
	DynamoDB Pick          `yaml:"dynamodb"` // tables
	NAT      Pick          `yaml:"nat"`      // gateways
	Lambda   Pick          `yaml:"lambda"`   // functions
	EBS      Pick          `yaml:"ebs"`      // volumes that have a burst balance
	EC2      Pick          `yaml:"ec2"`      // instances that have CPU credits
	S3Age    []Prefix      `yaml:"s3_age"`   // where backups land: how old the newest object is
	ELBLogs  []LogSource   `yaml:"elb_logs"` // where balancers write access logs: {bucket, prefix}, or a list of such; read once, by code and reason
}

// Prefix is where objects of one kind land.
type Prefix struct {
	Bucket    string        `yaml:"bucket"`
	Prefix    string        `yaml:"prefix"`
	OlderThan time.Duration `yaml:"older_than"` // at which the newest object is too old; 26h where nothing is said; 1h to 9600h
}

func (p Prefix) limit() time.Duration { return cmp.Or(p.OlderThan, 26*time.Hour) }

// bucketForm. Source: S3 user guide, "General purpose bucket naming rules", read 30 November 2026.
var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

const maxPrefixes = 50

// Bounds of Every.
const (
	mostOften = time.Minute
	leastOft  = 15 * time.Minute
)

func (o Options) picks() map[string]Pick {
	return map[string]Pick{"elb": o.ELB, "alb": o.ALB, "nlb": o.NLB, "sqs": o.SQS, "rds": o.RDS, "dynamodb": o.DynamoDB, "nat": o.NAT, "lambda": o.Lambda, "ebs": o.EBS, "ec2": o.EC2}
}

func (o Options) any() bool {
	for _, p := range o.picks() {
		if p.any() {
			return true
		}
	}
	return len(o.S3Age)+len(o.ELBLogs) > 0
}

// On says whether anything is read, for who has to open an account.
func (o Options) On() bool { return o.any() }

// Validate says what is out of bounds.
func (o Options) Validate() error {
	var errs []error
	if o.Every < mostOften || o.Every > leastOft || o.Every%time.Minute != 0 {
		errs = append(errs, fmt.Errorf("every: want whole minutes from %v to %v, have %v", mostOften, leastOft, o.Every))
	}
	for name, p := range o.picks() {
		if name != "sqs" && len(p.Priority) > 0 {
			errs = append(errs, fmt.Errorf("%s: want auto, names or off; a priority is a queue's", name))
		}
	}
	if len(o.S3Age) > maxPrefixes {
		errs = append(errs, fmt.Errorf("s3_age: %d are more than %d", len(o.S3Age), maxPrefixes))
	}
	for _, p := range o.S3Age {
		if !bucketForm.MatchString(p.Bucket) {
			errs = append(errs, fmt.Errorf("s3_age: want a bucket's name, have %q", p.Bucket))
		}
		if l := p.limit(); l < time.Hour || l > 9600*time.Hour {
			errs = append(errs, fmt.Errorf("s3_age: older_than: %v is outside 1h to 9600h", l))
		}
	}
	if len(o.ELBLogs) > maxPrefixes {
		errs = append(errs, fmt.Errorf("elb_logs: %d are more than %d", len(o.ELBLogs), maxPrefixes))
	}
	for n, s := range o.ELBLogs {
		if !bucketForm.MatchString(s.Bucket) {
			errs = append(errs, fmt.Errorf("elb_logs: want a bucket's name, have %q", s.Bucket))
		}
		if strings.Contains(s.Prefix, "AWSLogs") {
			errs = append(errs, fmt.Errorf("elb_logs: want prefix as it is set at the balancer, before AWSLogs, have %q", s.Prefix))
		}
		if slices.Contains(o.ELBLogs[:n], s) {
			errs = append(errs, fmt.Errorf("elb_logs: %s is named twice", s.Bucket))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// Pick is what of a service is read.
type Pick struct {
	Auto     bool
	Names    []string
	Priority map[string]string // by name, of queues
}

func (p Pick) any() bool { return p.Auto || len(p.Names) > 0 }

// UnmarshalYAML takes auto, off, a list of names, or names by priority.
func (p *Pick) UnmarshalYAML(n *yaml.Node) error {
	*p = Pick{}
	switch n.Kind {
	case yaml.ScalarNode:
		switch n.Value {
		case "auto":
			p.Auto = true
			return nil
		case "off", "false", "":
			return nil
		}
	case yaml.SequenceNode:
		if err := n.Decode(&p.Names); err != nil {
			return err
		}
	case yaml.MappingNode:
		var by map[string]string
		if err := n.Decode(&by); err != nil {
			return err
		}
		p.Priority = map[string]string{}
		for priority, name := range by {
			if other := p.Priority[name]; other != "" {
				return fmt.Errorf("%s and %s are both queue %s", other, priority, name)
			}
			p.Names, p.Priority[name] = append(p.Names, name), priority
		}
		slices.Sort(p.Names)
	}
	if len(p.Names) == 0 || slices.Contains(p.Names, "") {
		return errors.New("want auto, off, or names in a list")
	}
	return nil
}

// MarshalYAML shows it as it was written.
func (p Pick) MarshalYAML() (any, error) {
	switch {
	case p.Auto:
		return "auto", nil
	case len(p.Priority) > 0:
		by := map[string]string{}
		for name, priority := range p.Priority {
			by[priority] = name
		}
		return by, nil
	case len(p.Names) > 0:
		return p.Names, nil
	}
	return "off", nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

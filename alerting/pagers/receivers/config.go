package receivers

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/secret"
)

// kinds are the receivers by their key here: Alertmanager's key without _configs. JSM has the API of Opsgenie at another
// address. PagerDuty is not among them: package pagerduty does more than the library.
// Source: Alertmanager v0.35 config.Receiver, read 30 November 2026.
var kinds = map[string]kind{
	"discord":    {key: "discord_configs", chat: true},
	"email":      {key: "email_configs"},
	"incidentio": {key: "incidentio_configs"},
	"jira":       {key: "jira_configs"},
	"jsm":        {key: "opsgenie_configs", apiURL: "https://api.atlassian.com/jsm/ops/integration/"},
	"mattermost": {key: "mattermost_configs", chat: true},
	"msteams":    {key: "msteams_configs", chat: true},
	"msteamsv2":  {key: "msteamsv2_configs", chat: true},
	"opsgenie":   {key: "opsgenie_configs"},
	"pushover":   {key: "pushover_configs"},
	"rocketchat": {key: "rocketchat_configs", chat: true},
	"slack":      {key: "slack_configs", chat: true},
	"sns":        {key: "sns_configs"},
	"telegram":   {key: "telegram_configs"},
	"victorops":  {key: "victorops_configs"},
	"webex":      {key: "webex_configs", chat: true},
	"webhook":    {key: "webhook_configs"},
	"wechat":     {key: "wechat_configs"},
}

type kind struct {
	key    string // Alertmanager's
	apiURL string // where none is set
	chat   bool   // a message wakes nobody, so that a daily test may be one
}

// Kinds are the keys that a Config may have, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Config is one receiver of Alertmanager's, with Alertmanager's fields. Values may be ${file:PATH} and ${env:NAME}.
type Config struct {
	kind string
	text string // its fields as YAML, what identifies it at a reload
	load *amconfig.Receiver
}

// Kind is its key.
func (c Config) Kind() string { return c.kind }

// Key tells one configuration from another, secrets included: it must not be shown.
func (c Config) Key() string { return c.kind + "\n" + c.text }

// ReadConfig reads the fields of a receiver. Alertmanager's own reader sets its defaults and says what is wrong.
func ReadConfig(name string, fields *yaml.Node) (Config, error) {
	k, ok := kinds[name]
	if !ok {
		return Config{}, fmt.Errorf("%s: no such receiver; there are %s", name, strings.Join(Kinds(), ", "))
	}
	if fields.Kind != yaml.MappingNode {
		return Config{}, fmt.Errorf("%s: want the fields of Alertmanager's %s", name, k.key)
	}
	if k.apiURL != "" && !has(fields, "api_url") {
		fields = with(fields, "api_url", k.apiURL)
	}
	if name == "slack" && !has(fields, "image_url") {
		fields = with(fields, "image_url", `{{ template "slack.default.imageurl" . }}`)
	}
	if name == "email" && !has(fields, "from") {
		return Config{}, errors.New("email.from: want the address that it is sent from")
	}
	open, err := revealed(fields, "")
	if err != nil {
		return Config{}, err
	}
	text, err := yaml.Marshal(open)
	if err != nil {
		return Config{}, err
	}
	r, err := load(k.key, open)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %s", name, places.ReplaceAllString(secret.Redact(err.Error()), ""))
	}
	return Config{kind: name, text: string(text), load: r}, nil
}

// places are lines of the document that is made for the library, which nobody has seen.
var places = regexp.MustCompile(`(yaml: (unmarshal errors:\s*)?)?line \d+: `)

// load lets Alertmanager read a configuration of one receiver.
func load(key string, fields *yaml.Node) (*amconfig.Receiver, error) {
	doc := map[string]any{
		"route":     map[string]string{"receiver": "binnacle"},
		"receivers": []any{map[string]any{"name": "binnacle", key: []any{fields}}},
		"global":    map[string]any{"resolve_timeout": "5m"},
	}
	b, err := yaml.Marshal(doc)
	if err != nil {
		return nil, err
	}
	c, err := amconfig.Load(string(b))
	if err != nil {
		return nil, err
	}
	return &c.Receivers[0], nil
}

func has(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

func with(n *yaml.Node, key, value string) *yaml.Node {
	out := *n
	out.Content = append(slices.Clone(n.Content), &yaml.Node{Kind: yaml.ScalarNode, Value: key}, &yaml.Node{Kind: yaml.ScalarNode, Value: value})
	return &out
}

// secrets are fields whose values are learned, so that no log and no error shows them.
var secrets = regexp.MustCompile(`(^|_)(url|key|token|password|secret|credentials|user_key)$`)

// revealed is a copy of fields with the values of ${file:PATH} and ${env:NAME} in their places.
func revealed(n *yaml.Node, key string) (*yaml.Node, error) {
	out := *n
	if n.Kind == yaml.ScalarNode && (strings.HasPrefix(n.Value, "${") || secrets.MatchString(key) && n.Tag == "!!str") {
		var s secret.Secret
		if err := s.UnmarshalYAML(n); err != nil {
			return nil, err
		}
		out.Value, out.Tag, out.Style = s.Reveal(), "", 0
		if n.Tag == "!!str" && !strings.HasPrefix(n.Value, "${") {
			out.Tag = "!!str"
		}
		return &out, nil
	}
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		of := key
		if n.Kind == yaml.MappingNode {
			if of = ""; i%2 == 1 {
				of = n.Content[i-1].Value
			}
		}
		child, err := revealed(c, of)
		if err != nil {
			return nil, err
		}
		out.Content[i] = child
	}
	return &out, nil
}

// MarshalYAML shows all fields with their defaults. Alertmanager's types hide its secrets.
func (c Config) MarshalYAML() (any, error) {
	if c.load == nil {
		return nil, nil
	}
	b, err := yaml.Marshal(c.load)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := yaml.NewDecoder(bytes.NewReader(b)).Decode(&all); err != nil {
		return nil, err
	}
	list, _ := all[kinds[c.kind].key].([]any)
	if len(list) != 1 {
		return "set", nil
	}
	return list[0], nil
}

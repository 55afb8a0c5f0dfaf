// Package secret holds values that must not be shown.
//
// A Secret is written in the configuration as ${file:/path} or ${env:NAME} (or, discouraged, in
// plain) and shows itself under no verb and in no encoding. It does not encrypt anything.
package secret

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

const shown = "<secret>"

// Secret is a value that only Reveal shows. The zero Secret is empty.
type Secret struct{ value string }

// New makes a Secret of value.
func New(value string) Secret { return Secret{value} }

// Reveal returns the value.
func (s Secret) Reveal() string { return s.value }

// IsZero says whether nothing is set.
func (s Secret) IsZero() bool { return s.value == "" }

// Format implements fmt.Formatter.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return shown
}

// MarshalText implements encoding.TextMarshaler, which JSON uses.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML implements yaml.Marshaler.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalYAML reads the value, from where it says.
func (s *Secret) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want a text for a secret", n.Line)
	}
	v, err := resolve(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	s.value = v
	learn(v)
	return nil
}

// clean is a secret without what editors put around it: a byte order mark, UTF-16, the end of a line.
func clean(b []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return strings.TrimSpace(strings.TrimPrefix(string(b), "\uFEFF"))
	}
	var units []uint16
	for b = b[2:]; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	return strings.TrimSpace(string(utf16.Decode(units)))
}

// resolve reads ${file:PATH} and ${env:NAME}; anything else is the value itself.
func resolve(text string) (string, error) {
	inner, ok := strings.CutPrefix(text, "${")
	if !ok {
		return text, nil
	}
	inner, ok = strings.CutSuffix(inner, "}")
	if !ok {
		return "", fmt.Errorf("secret: ${ without }")
	}
	kind, arg, _ := strings.Cut(inner, ":")
	switch kind {
	case "file":
		b, err := os.ReadFile(arg)
		if err != nil {
			return "", fmt.Errorf("secret: %w", err)
		}
		v := clean(b)
		if v == "" {
			return "", fmt.Errorf("secret: %s is empty", arg)
		}
		return v, nil
	case "env":
		v, _ := os.LookupEnv(arg)
		if v = clean([]byte(v)); v == "" {
			return "", fmt.Errorf("secret: environment variable %s is not set", arg)
		}
		return v, nil
	}
	return "", fmt.Errorf("secret: want ${file:PATH} or ${env:NAME}, have ${%s:...}", kind)
}

package strict

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Decode reads one small YAML text whose keys are all known to the struct at into. An empty text leaves it as it is. The error is
// one line: those who show it name the file.
func Decode(text []byte, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	return nil
}

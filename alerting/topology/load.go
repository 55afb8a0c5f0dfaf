package topology

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a topology file.
const maxFile = 64 << 20

// file is what a topology file holds. Region and AZs are for its readers.
type file struct {
	Add      bool              `json:"add" yaml:"add"` // to what agents tell; else it replaces that
	Region   string            `json:"region" yaml:"region"`
	AZs      []string          `json:"azs" yaml:"azs"`
	Entities map[string]Entity `json:"entities" yaml:"entities"` // by ID
}

// machineKinds are those that alarms name by a host.
var machineKinds = []string{KindHost, KindNode, KindLink}

// Load reads a topology file: JSON, or YAML where its name ends so. Unknown keys are faults. As at New, the
// graph can be used where the error is about single entities; it is nil where the file cannot be read.
func Load(path string) (*Graph, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d MiB", path, maxFile>>20)
	}
	var t file
	if err := decode(path, data, &t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entities := make([]Entity, 0, len(t.Entities))
	for _, id := range slices.Sorted(maps.Keys(t.Entities)) {
		e := t.Entities[id]
		if e.ID == "" {
			e.ID = id
		}
		if name, ok := strings.CutPrefix(e.ID, e.Kind+":"); ok && e.Host == "" && slices.Contains(machineKinds, e.Kind) {
			e.Host = name // which alarms call it by
		}
		entities = append(entities, e)
	}
	g, err := New(entities)
	g.adds = t.Add
	if err != nil {
		return g, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

func decode(path string, data []byte, t *file) error {
	if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
		d := yaml.NewDecoder(bytes.NewReader(data))
		d.KnownFields(true)
		return d.Decode(t)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(t)
}

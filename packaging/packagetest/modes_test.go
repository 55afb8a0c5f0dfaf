package packagetest

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A checkout has the modes that its owner's umask leaves: under 077 a package would have manual pages and completions that root alone reads.
func TestThePackageNamesItsModes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "nfpm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Contents []struct {
			Dst  string
			Info struct{ Mode os.FileMode } `yaml:"file_info"`
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Contents) < 10 {
		t.Fatalf("nfpm.yaml has %d contents", len(config.Contents))
	}
	for _, c := range config.Contents {
		if c.Info.Mode == 0 {
			t.Errorf("%s has no file_info.mode: its mode is that of the checkout", c.Dst)
		}
	}
}

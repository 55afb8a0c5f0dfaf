package dashboards

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVendored holds what others wrote to the sums that were recorded when it was taken in, as sha256sum(1) writes them.
func TestVendored(t *testing.T) {
	const dir, sums = "assets/vendor", "SHA256SUMS"
	text, err := os.ReadFile(filepath.Join(dir, sums))
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		recorded[name] = sum
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == sums {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		if got := hex.EncodeToString(sum[:]); got != recorded[f.Name()] {
			t.Errorf("%s has the sum %s, want the recorded %q", f.Name(), got, recorded[f.Name()])
		}
		delete(recorded, f.Name())
	}
	for name := range recorded {
		t.Errorf("%s is recorded and not there", name)
	}
}

package reading

import "testing"

func TestCatalogueLoads(t *testing.T) {
	if _, err := load(); err != nil {
		t.Fatal(err)
	}
	if Size() < 300 {
		t.Errorf("the catalogue knows %d rules, want 300 or more", Size())
	}
}

package incidents

import (
	"testing"
	"unicode/utf8"
)

// A title that is cut keeps what it is about, at its begin, and what is wrong, which often stands at its end.
func TestWhatATitleLosesIsWhatTellsTheLeast(t *testing.T) {
	for text, want := range map[string]string{
		"Node is not ready": "Node is not ready",
		"KubePersistentVolume claimed by data-postgres-0 in namespace shop-production is only 2.5% free":                            "KubePersistentVolume claimed by data-postgres-0… is only 2.5% free",
		"Pod shop-production/checkout-7d4f9c8b6-x2x4z (api) is in waiting state for more than 15 minutes.":                          "Pod shop-production/checkout-7d4f9c8b6-x2x4z (api) is in waiting state",
		"Checkout of eu-west-1 answers one request in five with an error. Look at the dashboard of the team and call the provider.": "Checkout of eu-west-1 answers one request in five with an error",
		"MySQL db-1 on box is frozen: it accepts connections and answers nothing; 1 of its replicas still say 0 s behind":           "MySQL db-1 on box is frozen: it accepts connections and answers nothing",
		"The volume of the database orders-production on db-1 is predicted to run out of space in 4 hours":                          "The volume of the database orders-production on… out of space in 4 hours",
		"Blackbox probe failed (instance https://checkout.shop.example.net/api/v2/orders/status/health)":                            "Blackbox probe failed (instance https://checkou…v2/orders/status/health)",
		"Fehlerquote von Bestellungen im Rechenzentrum Süd über fünfundzwanzig Prozent, Kunden betroffen":                           "Fehlerquote von Bestellungen im Rechenzentrum… Prozent, Kunden betroffen",
	} {
		got := clip(text, 72)
		if got != want {
			t.Errorf("clip(%q)\n = %q; want\n   %q", text, got, want)
		}
		if utf8.RuneCountInString(got) > 72 {
			t.Errorf("clip(%q) has %d runes", text, utf8.RuneCountInString(got))
		}
	}
	for n := 4; n < 40; n++ {
		if got := clip("a long word: Donaudampfschifffahrtsgesellschaftskapitän", n); utf8.RuneCountInString(got) > n {
			t.Errorf("clip to %d runes = %q", n, got)
		}
	}
}

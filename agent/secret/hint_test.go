package secret

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestHintedIsWhatTheExpressionSays compares the quick search with the expression that it stands for.
func TestHintedIsWhatTheExpressionSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	letters := []rune("aAkKsSiIpPwWdDghGH_-.:/ \u017f\u212aé")
	for range 20_000 {
		var b strings.Builder
		for range rng.IntN(12) {
			if rng.IntN(8) == 0 {
				w := hintWords[rng.IntN(len(hintWords))]
				b.WriteString(w[:1+rng.IntN(len(w))])
				continue
			}
			b.WriteRune(letters[rng.IntN(len(letters))])
		}
		text := b.String()
		if rng.IntN(2) == 0 {
			text = strings.ToUpper(text)
		}
		if got, want := hinted(text) != nothing, hints.MatchString(text); got != want {
			t.Fatalf("hinted(%q) = %v; want %v", text, got, want)
		}
	}
	for _, w := range hintWords {
		if hinted("x"+w) == nothing || hinted(strings.ToUpper(w)+"x") == nothing {
			t.Errorf("%q is no hint", w)
		}
	}
}

func BenchmarkRedactLongText(b *testing.B) {
	text := strings.Repeat("it is said at length what is wrong here, where and why; ", 16)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Redact(text)
	}
}

// TestAnAddressAloneIsRedactedAsByAllExpressions compares the short way with the long one, for texts with addresses.
func TestAnAddressAloneIsRedactedAsByAllExpressions(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	parts := []string{"https://", "http://", "a://", "://", "jo", "@", ":", "/", "?", "#", " ", "=", "host", "9090", `"`, "%20", "&", "a-very-long-name-of-a-user", "[::1]", "-", "x.y"}
	alone := 0
	for range 20_000 {
		var b strings.Builder
		for range 1 + rng.IntN(12) {
			b.WriteString(parts[rng.IntN(len(parts))])
		}
		text := b.String()
		if hinted(text) != address {
			continue
		}
		alone++
		if got, want := Redact(text), redactLong(text); got != want {
			t.Fatalf("Redact(%q) = %q; want %q", text, got, want)
		}
	}
	if alone < 1000 {
		t.Errorf("%d texts had an address alone", alone)
	}
}

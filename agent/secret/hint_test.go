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
		if got, want := hinted(text), hints.MatchString(text); got != want {
			t.Fatalf("hinted(%q) = %v; want %v", text, got, want)
		}
	}
	for _, w := range hintWords {
		if !hinted("x"+w) || !hinted(strings.ToUpper(w)+"x") {
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

package reading

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSpokenBeginsAsTheTextDoes compares the quick answer with the search that it saves, for all words of the lexicon.
func TestSpokenBeginsAsTheTextDoes(t *testing.T) {
	var words []string
	for _, list := range [][]phrase{kindWords, layerWords, impactWords} {
		for _, p := range list {
			words = append(words, p.words...)
		}
	}
	rng := rand.New(rand.NewPCG(3, 15))
	for range 2000 {
		var b strings.Builder
		for range rng.IntN(6) {
			w := words[rng.IntN(len(words))]
			b.WriteString([]string{" ", "x", "", "5 "}[rng.IntN(4)] + w[:1+rng.IntN(len(w))] + []string{" ", "s ", "ed "}[rng.IntN(3)])
		}
		text := split(b.String())
		s := speak(text)
		for _, w := range words {
			if got, want := s.begins(w), begins(text, w); got != want {
				t.Fatalf("%q in %q: %v; want %v", w, text, got, want)
			}
		}
	}
}

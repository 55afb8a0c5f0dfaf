package strict

import (
	"fmt"
	"strings"
)

// maxNames bounds, in bytes, the list of names that stands behind one that is near none of them.
const maxNames = 240

// Suggest ends a text about a word that is none of names: with the name that was probably meant or, where none is near, with all
// of them in their order, if they are few.
func Suggest(word string, names []string) string {
	best, dist := "", min(len(word)/3, 3)+1
	for _, n := range names {
		if d := distance(word, n); d < dist {
			best, dist = n, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	if all := strings.Join(names, ", "); all != "" && len(all) <= maxNames {
		return "; it is one of " + all
	}
	return ""
}

// distance counts the letters to insert, delete, replace or swap with a neighbour (optimal string alignment).
func distance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

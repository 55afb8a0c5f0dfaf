package reading

// spoken is a text with how its words begin: the lexicon asks each text for hundreds of words, hardly one of which is there.
type spoken struct {
	text   string
	starts [16]uint64 // a bit for each pair of letters, of 1024, that a word begins with
}

func speak(text string) spoken {
	s := spoken{text: text}
	for i := 0; i+1 < len(text); i++ {
		if i == 0 || text[i-1] == ' ' {
			n := pair(text[i:])
			s.starts[n/64] |= 1 << (n % 64)
		}
	}
	return s
}

func pair(s string) uint { return (uint(s[0])*33 + uint(s[1])) % 1024 }

// begins says that a word of the text begins with these words.
func (s *spoken) begins(words string) bool {
	if len(words) > 1 {
		if n := pair(words); s.starts[n/64]&(1<<(n%64)) == 0 {
			return false
		}
	}
	return begins(s.text, words)
}

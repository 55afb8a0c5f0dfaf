package door

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/atomicfile"
	"github.com/navcloud/binnacle/agent/strict"
)

// tokenMark begins every token, so that scanners for leaked secrets find it and Basic passwords can be told from it.
const tokenMark = "bnc_"

func isToken(s string) bool { return strings.HasPrefix(s, tokenMark) }

// Token is one line of the tokens file. The token itself is not kept: 160 random bits need no slow hash.
type Token struct {
	Name    string    `yaml:"-"`
	Roles   []string  `yaml:"roles"` // read, agent, act
	SHA256  string    `yaml:"sha256"`
	Created time.Time `yaml:"created"`
	Expires time.Time `yaml:"expires,omitempty"`
}

type tokensYAML struct {
	Tokens map[string]Token `yaml:"tokens"`
}

type token struct {
	name    string
	roles   roles
	expires time.Time
}

var (
	tokenRoles = map[string]roles{"read": reads, "agent": sends, "act": allRoles}
	tokenName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$`)
)

// parse checks a line.
func (t Token) parse(name string) (key digest, out token, err error) {
	sum, err := hex.DecodeString(t.SHA256)
	switch {
	case !tokenName.MatchString(name):
		return key, out, fmt.Errorf("tokens: want a name of letters, digits and @._- up to 64, have %q", clip(name))
	case err != nil || len(sum) != sha256.Size:
		return key, out, fmt.Errorf("tokens.%s.sha256: want 64 hexadecimal digits", name)
	case len(t.Roles) == 0:
		return key, out, fmt.Errorf("tokens.%s.roles: want read, agent or act", name)
	}
	out = token{name: name, expires: t.Expires}
	for _, r := range t.Roles {
		if tokenRoles[r] == 0 {
			return key, out, fmt.Errorf("tokens.%s.roles: %q is none of read, agent, act", name, r)
		}
		out.roles |= tokenRoles[r]
	}
	return digest(sum), out, nil
}

func loadTokens(path string) (tokensYAML, error) {
	var y tokensYAML
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return y, nil
	}
	if err != nil {
		return y, err
	}
	if err := strict.Decode(text, &y); err != nil {
		return y, fmt.Errorf("%s: %w", path, err)
	}
	return y, nil
}

// readTokens reads a file; one that is not there holds no tokens.
func readTokens(path string) (map[digest]token, error) {
	y, err := loadTokens(path)
	if err != nil {
		return nil, err
	}
	out := map[digest]token{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(y.Tokens)) {
		key, t, err := y.Tokens[name].parse(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		out[key] = t
	}
	return out, errors.Join(errs...)
}

// tokenFile is the file as it was last read well.
type tokenFile struct{ *watched[map[digest]token] }

func openTokens(path string, log *slog.Logger) (*tokenFile, error) {
	w, err := watch(path, log, func(path string) (map[digest]token, []string, error) {
		t, err := readTokens(path)
		return t, nil, err
	})
	return &tokenFile{w}, err
}

func (f *tokenFile) any() bool { return len(f.now()) > 0 }

func (f *tokenFile) find(text string) (token, bool) {
	if !isToken(text) {
		return token{}, false
	}
	// A map finds by the hash of what was sent: how long it takes says nothing of the token.
	key := sha256.Sum256([]byte(text))
	t, ok := f.now()[key]
	if !ok { // a node that has just joined sends at once
		t, ok = f.lookNow()[key]
	}
	return t, ok && (t.expires.IsZero() || time.Now().Before(t.expires))
}

// TokensPath is the file of the tokens of an agent.
func (c Config) TokensPath(data string) string { return c.tokens(data) }

// Tokens lists the tokens in a file by name.
func Tokens(path string) ([]Token, error) {
	y, err := loadTokens(path)
	var out []Token
	for _, name := range slices.Sorted(maps.Keys(y.Tokens)) {
		t := y.Tokens[name]
		t.Name = name
		out = append(out, t)
	}
	return out, err
}

// NewToken adds a token to a file and returns it: it is shown once and cannot be read back.
func NewToken(path string, t Token) (text string, err error) {
	y, err := loadTokens(path)
	if err != nil {
		return "", err
	}
	if _, ok := y.Tokens[t.Name]; ok {
		return "", fmt.Errorf("%s has a token %q: revoke it first", path, t.Name)
	}
	text = tokenMark + strings.ToLower(rand.Text())
	sum := sha256.Sum256([]byte(text))
	t.SHA256 = hex.EncodeToString(sum[:])
	if _, _, err := t.parse(t.Name); err != nil {
		return "", err
	}
	if y.Tokens == nil {
		y.Tokens = map[string]Token{}
	}
	y.Tokens[t.Name] = t
	return text, y.write(path)
}

// RevokeToken takes a token out of a file; agents that run reread it within seconds.
func RevokeToken(path, name string) error {
	y, err := loadTokens(path)
	if err != nil {
		return err
	}
	if _, ok := y.Tokens[name]; !ok {
		return fmt.Errorf("%s has no token %q", path, name)
	}
	delete(y.Tokens, name)
	return y.write(path)
}

// write replaces the file whole, for its owner's eyes alone.
func (y tokensYAML) write(path string) error {
	text, err := yaml.Marshal(y)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return atomicfile.Write(path, text, 0o600)
}

// admitting makes the login of a node one step.
var admitting sync.Mutex

// Admit makes the login of a node that joins and returns its token. again says that the node may have one, which it loses; a
// login with another role than that of agents is not given away.
func (c Config) Admit(data, node string, again bool) (string, error) {
	admitting.Lock()
	defer admitting.Unlock()
	path := c.tokens(data)
	y, err := loadTokens(path)
	if err != nil {
		return "", err
	}
	old, known := y.Tokens[node]
	switch {
	case known && !slices.Equal(old.Roles, []string{"agent"}):
		return "", fmt.Errorf("%s is the name of a token with other rights: join under another name", node)
	case known && !again:
		return "", fmt.Errorf("a node named %s has joined", node)
	case known:
		if err := RevokeToken(path, node); err != nil {
			return "", err
		}
	}
	return NewToken(path, Token{Name: node, Roles: []string{"agent"}, Created: time.Now().UTC().Truncate(time.Second)})
}
